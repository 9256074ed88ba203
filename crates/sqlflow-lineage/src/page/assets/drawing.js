// The drawing: cards with columns, the edges between them, and the ways to move about in it.

import { groupBy } from "./content.js";
import { counted, printable, svg } from "./dom.js";
import { CALL, FILTER, KEY, VALUE } from "./graph.js";
import { CLOSED, cardsOf, curve, FOLDED, OPEN, place, ROW_HEIGHT } from "./layout.js";

const KIND_CLASSES = new Map([
    [VALUE, "value"],
    [FILTER, "filter"],
    [KEY, "key"],
    [CALL, "call"],
]);

/** So many edges are drawn in thinner lines. */
const MANY_EDGES_DRAWN = 250;

const MIN_SCALE = 0.08;
const MAX_SCALE = 2.5;
/** A drawing that would be smaller than this is not shown whole. */
const SMALLEST_READABLE = 0.72;

export class Drawing {
    /** `on` has the functions that are called: `pickNode`, `focusNode`, `pickEdges`, `pickNothing` and `toggleCard`. */
    constructor(content, host, on) {
        this.content = content;
        this.host = host;
        this.on = on;
        this.view = { x: 0, y: 0, scale: 1 };
        this.scene = svg("g", { class: "scene" });
        this.svg = svg("svg", { role: "group", "aria-label": "Drawing" }, arrows(), this.scene);
        host.replaceChildren(this.svg);
        this.listen();
    }

    /** Draws a selection. The view is kept if `keepView` is `true`, and shows everything otherwise. */
    show(selection, states, keepView) {
        this.selection = selection;
        this.cards = cardsOf(this.content, selection, states);
        this.edges = [...selection.edges.values()];
        this.size = place(this.content, selection, this.cards, this.edges);
        this.rows = new Map();
        this.heads = new Map();
        this.paths = new Map();
        const edges = svg("g", { class: "edges" }, ...this.edgeShapes());
        const cards = svg("g", { class: "cards" }, ...this.cards.map((card) => this.card(card)));
        this.scene.replaceChildren(edges, cards);
        const label = `${this.content.counted(selection.cards.keys())} and ${counted(this.edges.length, "edge")}`;
        this.svg.classList.toggle("dense", this.edges.length > MANY_EDGES_DRAWN);
        this.svg.setAttribute("aria-label", `Drawing of ${label}. Arrow keys move between columns.`);
        const first = this.rowOrHead(selection.focus) ?? this.heads.values().next().value;
        first?.setAttribute("tabindex", "0");
        this.current = first;
        if (!keepView) {
            this.fit();
        }
    }

    rowOrHead(node) {
        return this.rows.get(node) ?? this.heads.get(this.content.objectOf(node));
    }

    /** Returns the shapes of the edges. Those that take the same way, between cards that are closed, share one. */
    edgeShapes() {
        const drawn = this.edges.map((edge) => ({ edge, path: curve(this.content, this.size.byObject, edge) }));
        const shapes = groupBy(drawn, ({ edge, path }) => `${edge.kind}${edge.change}${path}`);
        return [...shapes.values()].map((group) =>
            this.edgeShape(
                group[0].path,
                group.map(({ edge }) => edge),
            ),
        );
    }

    edgeShape(path, edges) {
        const [edge] = edges;
        const kind = KIND_CLASSES.get(edge.kind) ?? "other";
        const change = edge.change ? ` ${edge.change}` : "";
        const end = (node) => (edges.length === 1 ? node : this.content.objectNode(this.content.objectOf(node)));
        const [source, target] = [edge.source, edge.target].map((node) =>
            printable(this.content.qualifiedName(end(node))),
        );
        const count = edges.length === 1 ? "" : ` (${counted(edges.length, "edge")})`;
        const shape = svg(
            "g",
            { class: `edge ${kind}${change}`, onclick: (event) => this.clicked(event, () => this.on.pickEdges(edges)) },
            svg("title", {}, `${source} → ${target}${count}`),
            svg("path", { class: "reach", d: path }),
            svg("path", { class: "line", d: path, "marker-end": `url(#arrow-${edge.change || kind})` }),
        );
        this.paths.set(shape, edges);
        return shape;
    }

    card(card) {
        const { content } = this;
        const change = content.change(card.node);
        const role = ["stored", "result", "hidden"][content.role(card.object)];
        const classes = ["card", role, card.isFocus ? "focus" : "", change].filter(Boolean).join(" ");
        const fullName = printable(content.qualifiedName(card.node));
        const head = svg(
            "g",
            {
                class: "head",
                role: "button",
                tabindex: "-1",
                "aria-label": `${card.kind} ${fullName}${change ? `, ${changeText(content, card.node)}` : ""}`,
                onclick: (event) => this.clicked(event, () => this.on.pickNode(card.node)),
            },
            svg("title", {}, fullName),
            svg("path", { class: "head-shape", d: headShape(card) }),
            svg("text", { class: "title", x: 14, y: 20 }, card.title),
            svg("text", { class: "group", x: 14, y: 36 }, card.group),
            svg("text", { class: "kind", x: card.width - 14, y: 36, "text-anchor": "end" }, card.kind),
        );
        this.heads.set(card.object, head);
        head.node = card.node;
        const fold = svg(
            "g",
            {
                class: "fold",
                role: "button",
                tabindex: "-1",
                "aria-label": `${card.state === CLOSED ? "Unfold" : "Fold"} ${fullName}`,
                transform: `translate(${card.width - 22} 14)`,
                onclick: (event) =>
                    this.clicked(event, () => this.on.toggleCard(card.object, card.state === CLOSED ? FOLDED : CLOSED)),
            },
            svg("rect", { class: "reach", x: -10, y: -10, width: 20, height: 20 }),
            svg("path", { class: "chevron", d: card.state === CLOSED ? "M-2 -4L2 0L-2 4" : "M-4 -2L0 2L4 -2" }),
        );
        const rows = card.rows.map((row, at) => this.row(card, row, at));
        const more = card.hasMoreRow ? [this.moreRow(card)] : [];
        return svg(
            "g",
            {
                class: classes,
                role: "group",
                "aria-label": `${card.kind} ${fullName}`,
                transform: `translate(${card.x} ${card.y})`,
            },
            svg("rect", { class: "body", width: card.width, height: card.height, rx: 9 }),
            head,
            fold,
            ...rows,
            ...more,
        );
    }

    row(card, node, at) {
        const { content } = this;
        const change = content.change(node);
        const label = printable(content.qualifiedName(node));
        const row = svg(
            "g",
            {
                class: ["row", content.isRows[node] ? "rows" : "", change].filter(Boolean).join(" "),
                role: "button",
                tabindex: "-1",
                "aria-label": `column ${label}${change ? `, ${change}` : ""}`,
                transform: `translate(0 ${card.headHeight + at * ROW_HEIGHT})`,
                onclick: (event) => this.clicked(event, () => this.on.pickNode(node)),
                ondblclick: () => this.on.focusNode(node),
            },
            svg("title", {}, label),
            svg("rect", { class: "row-shape", x: 1, width: card.width - 2, height: ROW_HEIGHT }),
            svg("text", { x: 14, y: 16.5 }, card.labels[at]),
        );
        row.node = node;
        this.rows.set(node, row);
        return row;
    }

    moreRow(card) {
        const isOpen = card.state === OPEN;
        const text = isOpen ? "show fewer" : `${counted(card.hidden, "more column")}`;
        return svg(
            "g",
            {
                class: "row more",
                role: "button",
                tabindex: "-1",
                "aria-label": `${text} of ${printable(this.content.qualifiedName(card.node))}`,
                transform: `translate(0 ${card.headHeight + card.rows.length * ROW_HEIGHT})`,
                onclick: (event) => this.clicked(event, () => this.on.toggleCard(card.object, isOpen ? FOLDED : OPEN)),
            },
            svg("rect", { class: "row-shape", x: 1, width: card.width - 2, height: ROW_HEIGHT }),
            svg("text", { x: 14, y: 16.5 }, isOpen ? text : `+ ${text}`),
        );
    }

    /** Marks what is upstream and downstream of the picked node, and fades the rest. Nothing is faded for `null`. */
    highlight(marks) {
        this.svg.classList.toggle("highlighting", marks !== null);
        const nodes = [
            ...this.rows,
            ...[...this.heads].map(([object, head]) => [this.content.objectNode(object), head]),
        ];
        for (const [node, shape] of nodes) {
            shape.classList.toggle("picked", marks?.picked === node);
            shape.classList.toggle("upstream", Boolean(marks?.upstream.has(node)));
            shape.classList.toggle("downstream", Boolean(marks?.downstream.has(node)));
            shape.setAttribute("aria-pressed", String(marks?.picked === node));
        }
        const marked = marks === null ? [] : [marks.picked ?? -1, ...marks.upstream, ...marks.downstream];
        const lit = new Set(marked.filter((node) => node >= 0).map((node) => this.content.objectOf(node)));
        for (const [object, head] of this.heads) {
            head.parentNode.classList.toggle("lit", lit.has(object));
        }
        for (const [shape, edges] of this.paths) {
            const isUp = marks !== null && edges.some(marks.isUpstreamEdge);
            const isDown = marks !== null && edges.some(marks.isDownstreamEdge);
            shape.classList.toggle("upstream", isUp);
            shape.classList.toggle("downstream", isDown);
            shape.classList.toggle("picked", marks?.edges === edges);
        }
    }

    listen() {
        this.svg.addEventListener("click", (event) => {
            if (event.target === this.svg && !this.moved) {
                this.on.pickNothing();
            }
        });
        this.svg.addEventListener("keydown", (event) => this.onKey(event));
        this.svg.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
        this.svg.addEventListener("pointerdown", (event) => this.onDown(event));
    }

    /** A drag ends with a click, which picks nothing. */
    clicked(event, pick) {
        if (this.moved) {
            return;
        }
        const shape = event.currentTarget;
        this.makeCurrent(shape);
        pick();
    }

    onDown(event) {
        if (event.button !== 0) {
            return;
        }
        const from = { x: event.clientX, y: event.clientY, view: { ...this.view } };
        this.moved = false;
        const move = (moved) => {
            const [dx, dy] = [moved.clientX - from.x, moved.clientY - from.y];
            if (Math.hypot(dx, dy) > 4) {
                this.moved = true;
                this.svg.classList.add("dragging");
                this.setView({ ...this.view, x: from.view.x + dx, y: from.view.y + dy });
            }
        };
        const up = () => {
            window.removeEventListener("pointermove", move);
            window.removeEventListener("pointerup", up);
            window.removeEventListener("pointercancel", up);
            this.svg.classList.remove("dragging");
        };
        window.addEventListener("pointermove", move);
        window.addEventListener("pointerup", up);
        window.addEventListener("pointercancel", up);
    }

    onWheel(event) {
        event.preventDefault();
        if (event.ctrlKey || event.metaKey) {
            const box = this.svg.getBoundingClientRect();
            this.zoom(Math.exp(-event.deltaY / 300), event.clientX - box.left, event.clientY - box.top);
        } else {
            this.setView({ ...this.view, x: this.view.x - event.deltaX, y: this.view.y - event.deltaY });
        }
    }

    /** Enlarges the drawing around a point, which is the middle unless given. */
    zoom(factor, x = this.svg.clientWidth / 2, y = this.svg.clientHeight / 2) {
        const scale = Math.min(MAX_SCALE, Math.max(MIN_SCALE, this.view.scale * factor));
        const ratio = scale / this.view.scale;
        this.setView({ x: x - (x - this.view.x) * ratio, y: y - (y - this.view.y) * ratio, scale });
    }

    /** Shows everything, or, if that would be too small to read, the focus at its natural size. */
    fit() {
        const { clientWidth: width, clientHeight: height } = this.svg;
        if (!this.size || width === 0) {
            return;
        }
        const whole = Math.min(1, width / this.size.width, height / this.size.height);
        if (whole >= SMALLEST_READABLE) {
            this.fitAll();
            return;
        }
        const card = this.size.byObject.get(this.content.objectOf(this.selection.focus));
        const scale = 0.9;
        const x = offset((card.x + card.width / 2) * scale, this.size.width * scale, width);
        const y = offset((card.y + card.height / 2) * scale, this.size.height * scale, height);
        // The head of a high card is more than its middle.
        this.setView({ x, y: Math.max(y, -card.y * scale + 24), scale });
    }

    /** Shows everything, however small. */
    fitAll() {
        const { clientWidth: width, clientHeight: height } = this.svg;
        const scale = Math.min(1, width / this.size.width, height / this.size.height);
        this.setView({ x: (width - this.size.width * scale) / 2, y: (height - this.size.height * scale) / 2, scale });
    }

    /** Fits the drawing to the page of a printer, and back. */
    prepareToPrint(isPrinting) {
        if (isPrinting && this.size) {
            this.setView({ x: 0, y: 0, scale: 1 });
            this.svg.setAttribute("viewBox", `0 0 ${this.size.width} ${this.size.height}`);
        } else {
            this.svg.removeAttribute("viewBox");
        }
    }

    setView(view) {
        this.view = view;
        this.scene.setAttribute("transform", `translate(${view.x} ${view.y}) scale(${view.scale})`);
    }

    makeCurrent(shape) {
        this.current?.setAttribute("tabindex", "-1");
        shape.setAttribute("tabindex", "0");
        this.current = shape;
    }

    /** Moves the keyboard focus, and the drawing with it. */
    moveTo(shape) {
        if (!shape) {
            return;
        }
        this.makeCurrent(shape);
        shape.focus({ preventScroll: true });
        const [box, frame] = [shape.getBoundingClientRect(), this.svg.getBoundingClientRect()];
        const margin = 40;
        const dx = Math.max(0, frame.left + margin - box.left) - Math.max(0, box.right - frame.right + margin);
        const dy = Math.max(0, frame.top + margin - box.top) - Math.max(0, box.bottom - frame.bottom + margin);
        if (dx !== 0 || dy !== 0) {
            this.setView({ ...this.view, x: this.view.x + dx, y: this.view.y + dy });
        }
    }

    onKey(event) {
        const shape = event.target.closest?.("[role=button]");
        if (!shape) {
            return;
        }
        const moves = {
            ArrowDown: () => this.moveTo(neighbour(shape, 1)),
            ArrowUp: () => this.moveTo(neighbour(shape, -1)),
            ArrowLeft: () => this.moveTo(this.connected(shape.node, "source")),
            ArrowRight: () => this.moveTo(this.connected(shape.node, "target")),
            Enter: () => shape.dispatchEvent(new MouseEvent("click", { bubbles: true })),
            " ": () => shape.dispatchEvent(new MouseEvent("click", { bubbles: true })),
        };
        const move = moves[event.key];
        if (move && !event.ctrlKey && !event.metaKey && !event.altKey) {
            event.preventDefault();
            this.moved = false;
            move();
        }
    }

    /** Returns the shape at the other end of the first edge of a node, or else of any edge of its card. */
    connected(node, end) {
        if (node === undefined) {
            return null;
        }
        const start = end === "source" ? "target" : "source";
        const object = this.content.objectOf(node);
        const edge =
            this.edges.find((one) => one[start] === node) ??
            this.edges.find(
                (one) => this.content.objectOf(one[start]) === object && this.content.objectOf(one[end]) !== object,
            );
        return edge ? this.rowOrHead(edge[end]) : null;
    }

    /** Returns the edges at a column, or at any column of a table. */
    edgesOf(node) {
        const { content } = this;
        const isOf = (end) =>
            content.isColumn(node) ? end === node : content.objectOf(end) === content.objectOf(node);
        return this.edges.filter(({ source, target }) => isOf(source) || isOf(target));
    }

    /** Puts the keyboard focus on a node, if it is drawn. */
    focusOn(node) {
        this.moveTo(this.rowOrHead(node));
    }
}

export function changeText(content, node) {
    const change = content.change(node);
    if (change === "kind") {
        return `was: ${content.oldKind(content.objectOf(node)).replaceAll("_", " ") || "another kind"}`;
    }
    return change;
}

/** Returns the next shape of a card that can be picked. */
function neighbour(shape, step) {
    const shapes = [...shape.closest(".card").querySelectorAll("[role=button]")];
    return shapes[shapes.indexOf(shape) + step] ?? null;
}

/** Returns the offset that puts a point in the middle of a frame, or as near as it gets without a gap at one end. */
function offset(point, size, frame) {
    return size <= frame ? (frame - size) / 2 : Math.min(0, Math.max(frame - size, frame / 2 - point));
}

function headShape({ width, headHeight, height }) {
    const top = `V9A9 9 0 0 1 9 0H${width - 9}A9 9 0 0 1 ${width} 9`;
    if (height > headHeight) {
        return `M0 ${headHeight}${top}V${headHeight}Z`;
    }
    // The lower corners are those of the card.
    return `M9 ${height}A9 9 0 0 1 0 ${height - 9}${top}V${height - 9}A9 9 0 0 1 ${width - 9} ${height}Z`;
}

/** Returns the heads of the arrows, one for each colour. */
function arrows() {
    const kinds = ["value", "filter", "key", "call", "other", "added", "removed", "upstream", "downstream", "picked"];
    const marker = (kind) =>
        svg(
            "marker",
            {
                id: `arrow-${kind}`,
                class: `arrow ${kind}`,
                viewBox: "0 0 8 8",
                refX: 1,
                refY: 4,
                markerWidth: 7,
                markerHeight: 7,
                markerUnits: "userSpaceOnUse",
                orient: "auto",
            },
            svg("path", { d: "M0 0L8 4L0 8Z" }),
        );
    return svg("defs", {}, ...kinds.map(marker));
}
