// Elements, and texts as they are shown.

const SVG = "http://www.w3.org/2000/svg";

function filled(created, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) {
        if (name.startsWith("on")) {
            created.addEventListener(name.slice(2), value);
        } else if (value === true) {
            created.setAttribute(name, "");
        } else if (value !== false && value !== null && value !== undefined) {
            created.setAttribute(name, String(value));
        }
    }
    created.append(...children.filter((child) => child !== null && child !== undefined));
    return created;
}

/** Creates an element. Attributes that begin with `on` are listeners; `false` and `null` leave an attribute out. */
export function element(tag, attributes = {}, ...children) {
    return filled(document.createElement(tag), attributes, children);
}

/** Creates an element of SVG; see {@link element}. */
export function svg(tag, attributes = {}, ...children) {
    return filled(document.createElementNS(SVG, tag), attributes, children);
}

/** Returns an element that shows a name in its own direction, whatever is around it. */
export function name(text) {
    return element("bdi", { class: "name" }, printable(text));
}

export function button(label, onclick, attributes = {}) {
    return element("button", { type: "button", onclick, ...attributes }, label);
}

/**
 * Returns a text with pictures for the control characters, which have none, and for those that no XML can hold, so that
 * they can be seen, and saved in a drawing.
 */
export function printable(text) {
    const picture = (character) => {
        const code = character.codePointAt(0);
        if (code < 0x20) {
            return String.fromCodePoint(0x2400 + code);
        }
        return code === 0x7f ? "␡" : "�";
    };
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to replace
    return text.replace(/[\u0000-\u001f\u007f\ud800-\udfff\ufffe\uffff]/gu, picture);
}

const NUMBERS = new Intl.NumberFormat("en");

export function number(value) {
    return NUMBERS.format(value);
}

/** Returns a count with its noun: `1 table`, `2 tables`. */
export function counted(count, noun, plural = `${noun}s`) {
    return `${number(count)} ${count === 1 ? noun : plural}`;
}

const widths = new Map();
let ruler = null;

/** Returns the width of a text in pixels, of the fonts of the drawing. */
export function textWidth(text, font) {
    ruler ??= document.createElement("canvas").getContext("2d");
    const key = `${font}\n${text}`;
    let width = widths.get(key);
    if (width === undefined) {
        ruler.font = font;
        width = ruler.measureText(text).width;
        if (widths.size > 20000) {
            widths.clear();
        }
        widths.set(key, width);
    }
    return width;
}

/** Marks above and below a letter take no width, and more of them than in any language would cover the lines around. */
const MANY_MARKS = /(\p{M}{4})\p{M}+/gu;

/** Returns the longest beginning of a text that fits a width, with an ellipsis if it is not the whole text. */
export function fitted(text, font, available) {
    const whole = printable(text.slice(0, 400)).replace(MANY_MARKS, "$1…");
    const characters = Array.from(whole);
    if (text.length <= 400 && textWidth(whole, font) <= available) {
        return whole;
    }
    let [low, high] = [0, characters.length];
    while (low < high) {
        const middle = Math.ceil((low + high) / 2);
        if (textWidth(`${characters.slice(0, middle).join("")}…`, font) <= available) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return `${characters.slice(0, low).join("")}…`;
}
