// Saving the drawing as SVG or PNG.

import { svg } from "./dom.js";

const MARGIN = 24;
/** Browsers refuse canvases of more pixels. */
const MAX_PIXELS = 120_000_000;
const MAX_SIDE = 16_000;

const ATTRIBUTES = [
    "fill",
    "fill-opacity",
    "stroke",
    "stroke-width",
    "stroke-dasharray",
    "stroke-linecap",
    "stroke-linejoin",
    "opacity",
    "font-family",
    "font-size",
    "font-weight",
    "font-style",
    "text-decoration-line",
    "marker-end",
];

/** Returns the drawing as a picture of its own, with its colours in it. */
function picture(drawing) {
    const { width, height } = drawing.size;
    const scene = copied(drawing.scene);
    scene.setAttribute("transform", `translate(${MARGIN} ${MARGIN})`);
    const background = getComputedStyle(drawing.host).backgroundColor;
    const size = { width: width + 2 * MARGIN, height: height + 2 * MARGIN };
    return svg(
        "svg",
        { ...size, viewBox: `0 0 ${size.width} ${size.height}`, xmlns: "http://www.w3.org/2000/svg" },
        svg("rect", { ...size, fill: background }),
        copied(drawing.svg.querySelector("defs")),
        scene,
    );
}

/** Copies a shape and all in it, with the styles as attributes, because the style sheet stays in the page. */
function copied(shape) {
    if (shape.nodeType === Node.TEXT_NODE) {
        return document.createTextNode(shape.data);
    }
    const copy = shape.cloneNode(false);
    const style = getComputedStyle(shape);
    if (!["g", "defs", "title"].includes(shape.localName)) {
        for (const attribute of ATTRIBUTES) {
            const value = style.getPropertyValue(attribute);
            if (value && !["normal", "auto"].includes(value)) {
                copy.setAttribute(attribute, value);
            }
        }
    } else if (style.opacity !== "1") {
        copy.setAttribute("opacity", style.opacity);
    }
    for (const attribute of ["class", "role", "tabindex", "aria-label", "aria-pressed"]) {
        copy.removeAttribute(attribute);
    }
    copy.append(...[...shape.childNodes].map(copied));
    return copy;
}

function source(drawing) {
    return new XMLSerializer().serializeToString(picture(drawing));
}

function download(blob, name) {
    const url = URL.createObjectURL(blob);
    const link = document.createElement("a");
    link.href = url;
    link.download = name;
    document.body.append(link);
    link.click();
    link.remove();
    // The download reads the address some time after the click.
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

export function saveSvg(drawing, name) {
    download(new Blob([source(drawing)], { type: "image/svg+xml" }), `${name}.svg`);
}

/** Saves the drawing as PNG at twice its size, or less if a canvas cannot hold that. */
export async function savePng(drawing, name) {
    const blob = await png(drawing);
    download(blob, `${name}.png`);
}

export async function png(drawing) {
    const image = new Image();
    const [width, height] = [drawing.size.width + 2 * MARGIN, drawing.size.height + 2 * MARGIN];
    const scale = Math.min(2, Math.sqrt(MAX_PIXELS / (width * height)), MAX_SIDE / Math.max(width, height));
    const url = URL.createObjectURL(new Blob([source(drawing)], { type: "image/svg+xml" }));
    try {
        image.src = url;
        await image.decode();
        const canvas = document.createElement("canvas");
        canvas.width = Math.ceil(width * scale);
        canvas.height = Math.ceil(height * scale);
        canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
        return await new Promise((resolve, reject) => {
            canvas.toBlob(
                (blob) => (blob ? resolve(blob) : reject(new Error("the drawing is too large for PNG"))),
                "image/png",
            );
        });
    } finally {
        URL.revokeObjectURL(url);
    }
}
