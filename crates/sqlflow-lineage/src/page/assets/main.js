// The page: the overview, and the drawing with its controls.

import { fromAddress, toAddress } from "./address.js";
import { readContent } from "./content.js";
import { Details } from "./details.js";
import { button, counted, element, name, number } from "./dom.js";
import { Drawing } from "./drawing.js";
import { Graph, SWITCHES } from "./graph.js";
import { Overview } from "./overview.js";
import { savePng, saveSvg } from "./save.js";
import { Search, SearchField } from "./search.js";
import { MAX_CARDS, Selector } from "./selection.js";
import { Stars } from "./stars.js";

const MAX_DEPTH = 8;

function byId(id) {
    return document.getElementById(id);
}

class Page {
    constructor(content) {
        this.content = content;
        this.graph = new Graph(content);
        this.stars = new Stars(content, this.graph);
        this.search = new Search(content);
        this.selector = new Selector(this.graph, this.stars);
        this.state = this.freshState();
        this.cardStates = new Map();
        this.pathFrom = null;
        this.picked = null;
        const on = {
            focusNode: (node) => this.focusNode(node),
            pickNode: (node) => this.pickNode(node),
            pickEdges: (edges) => this.pickEdges(edges),
            pickNothing: () => this.pickNothing(),
            startPath: (node) => this.startPath(node),
            toggleCard: (object, state) => this.toggleCard(object, state),
        };
        this.overview = new Overview(content, this.graph, byId("overview-content"), on.focusNode);
        this.drawing = new Drawing(content, byId("canvas"), on);
        this.details = new Details(content, this.selector, byId("details"), on);
        this.field = new SearchField(content, this.search, byId("search"), byId("matches"), (node) => this.found(node));
        this.prepareHeader();
        this.prepareControls();
        this.overview.show();
        window.addEventListener("hashchange", () => this.readAddress());
        document.addEventListener("keydown", (event) => this.onKey(event));
        window.addEventListener("resize", () => !byId("surroundings").hidden && this.drawing.fit());
        if (content.data.openAt !== null && location.hash === "") {
            this.focusNode(content.data.openAt);
        } else {
            this.readAddress();
        }
        document.documentElement.dataset.ready = "true";
        this.readyAt = performance.now();
    }

    freshState() {
        return {
            focus: null,
            pathTo: null,
            depth: 1,
            ownDepth: false,
            direction: "both",
            kinds: new Set(),
            intermediates: false,
        };
    }

    prepareHeader() {
        const { data } = this.content;
        document.documentElement.toggleAttribute("data-comparison", data.isComparison);
        byId("title").textContent = "";
        byId("title").append(
            button(name(data.title), () => this.showOverview(), { class: "link", title: "Back to the overview" }),
        );
        const notes = data.reasons.map((reason) =>
            element("li", {}, `${reason.charAt(0).toUpperCase()}${reason.slice(1)}.`),
        );
        byId("reasons").replaceChildren(...notes);
        byId("incomplete").hidden = notes.length === 0;
        byId("generator").textContent = data.generator;
        const dark = window.matchMedia("(prefers-color-scheme: dark)");
        const root = document.documentElement;
        byId("theme").addEventListener("click", () => {
            const isDark = root.dataset.theme ? root.dataset.theme === "dark" : dark.matches;
            root.dataset.theme = isDark ? "light" : "dark";
        });
    }

    prepareControls() {
        const change = (changes) => {
            Object.assign(this.state, changes);
            this.draw();
        };
        byId("depth").max = MAX_DEPTH + 1;
        byId("depth").addEventListener("input", (event) => {
            const depth = Number(event.target.value);
            change({ depth: depth > MAX_DEPTH ? Number.POSITIVE_INFINITY : depth, ownDepth: true });
        });
        byId("direction").addEventListener("change", (event) => change({ direction: event.target.value }));
        byId("intermediates").addEventListener("change", (event) => change({ intermediates: event.target.checked }));
        const kinds = this.graph.kinds();
        const shown = SWITCHES.filter(({ kind }) => kinds.has(kind));
        const switches = shown.map(({ kind, option, label, title }) => {
            const flip = (event) => {
                const chosen = new Set(this.state.kinds);
                event.target.checked ? chosen.add(kind) : chosen.delete(kind);
                change({ kinds: chosen });
            };
            return element(
                "label",
                { title },
                element("input", { type: "checkbox", id: `switch-${option}`, onchange: flip }),
                label,
            );
        });
        byId("switches").prepend(...switches);
        byId("intermediates").parentElement.hidden = !this.hasIntermediates();
        byId("back").addEventListener("click", () => this.showOverview());
        byId("zoom-in").addEventListener("click", () => this.drawing.zoom(1.25));
        byId("zoom-out").addEventListener("click", () => this.drawing.zoom(0.8));
        byId("fit").addEventListener("click", () => this.drawing.fitAll());
        byId("save-svg").addEventListener("click", () => saveSvg(this.drawing, this.fileName()));
        byId("save-png").addEventListener("click", () => {
            savePng(this.drawing, this.fileName()).catch((error) => this.say(`PNG: ${error.message}`));
        });
        byId("print").addEventListener("click", () => window.print());
        let kept = null;
        window.addEventListener("beforeprint", () => {
            kept = this.drawing.view;
            this.drawing.prepareToPrint(true);
        });
        window.addEventListener("afterprint", () => {
            this.drawing.prepareToPrint(false);
            this.drawing.setView(kept);
        });
    }

    hasIntermediates() {
        const { content } = this;
        return content.data.objects.role.some((role) => role > 0) || content.rowsOf.size > 0;
    }

    fileName() {
        const own = this.content.qualifiedName(this.state.focus).slice(0, 80);
        return `lineage of ${own}`.replace(/[^\p{L}\p{N}._ -]/gu, "_");
    }

    /** Tells a message to people, also to those who do not see the page. */
    say(message) {
        byId("status").textContent = message;
    }

    onKey(event) {
        const isTyping = event.target.matches?.("input[type=search], input[type=text], textarea");
        if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey) {
            event.preventDefault();
            byId("search").focus();
        } else if (event.key === "Escape" && !isTyping && !byId("surroundings").hidden) {
            this.pathFrom === null ? this.pickNothing() : this.cancelPath();
        }
    }

    found(node) {
        if (this.pathFrom !== null && this.content.isColumn(node)) {
            this.finishPath(node);
        } else {
            this.focusNode(node);
        }
    }

    showOverview() {
        byId("missing").hidden = true;
        this.state = { ...this.state, focus: null, pathTo: null };
        this.pathFrom = null;
        this.writeAddress();
        this.showPart("overview");
    }

    showPart(id) {
        byId("overview").hidden = id !== "overview";
        byId("surroundings").hidden = id !== "surroundings";
        document.body.dataset.part = id;
        document.title =
            this.state.focus === null
                ? this.content.data.title
                : `${this.content.qualifiedName(this.state.focus)} · ${this.content.data.title}`;
    }

    /** Draws the surroundings of a column or table. */
    focusNode(node) {
        byId("missing").hidden = true;
        this.pathFrom = null;
        this.cardStates.clear();
        Object.assign(this.state, { focus: node, pathTo: null });
        this.picked = null;
        this.draw();
        this.pickNode(node);
        this.drawing.focusOn(node);
    }

    /** Draws the state, in which what is picked stays picked. */
    draw() {
        const { state } = this;
        if (state.focus === null) {
            return;
        }
        this.showPart("surroundings");
        if (!state.ownDepth) {
            state.depth = this.selector.comfortableDepth(state.focus, state);
        }
        const path = state.pathTo === null ? null : this.selector.paths(state.focus, state.pathTo, state);
        this.selection = path ?? this.selector.surroundings(state.focus, state);
        this.marks = null;
        this.drawing.show(this.selection, this.cardStates, false);
        this.drawing.highlight(null);
        this.showControls();
        if (state.pathTo !== null) {
            const ends = path ? [path.focus, path.target] : [state.focus, state.pathTo];
            this.details.showPath(...ends, path);
            this.drawing.highlight(path ? pathMarks(path) : null);
        } else if (this.picked !== null && this.selection.cards.has(this.content.objectOf(this.picked))) {
            this.mark(this.picked);
        } else {
            this.pickNothing();
        }
        this.writeAddress();
        this.say(byId("counts").textContent);
    }

    showControls() {
        const { state, selection } = this;
        const isPath = state.pathTo !== null;
        const isAll = !Number.isFinite(state.depth);
        byId("depth").value = isAll ? MAX_DEPTH + 1 : state.depth;
        byId("depth").disabled = isPath;
        byId("depth").setAttribute("aria-valuetext", isAll ? "all steps" : counted(state.depth, "step"));
        byId("depth-value").textContent = isAll ? "all" : state.depth;
        byId("direction").value = state.direction;
        byId("direction").disabled = isPath;
        byId("intermediates").checked = state.intermediates;
        for (const { kind, option } of SWITCHES) {
            const box = byId(`switch-${option}`);
            if (box) {
                box.checked = state.kinds.has(kind);
            }
        }
        const cards = this.content.counted(selection.cards.keys());
        byId("counts").textContent = `${cards}, ${counted(selection.edges.size, "edge")}`;
        const { size } = selection.left;
        byId("left").hidden = size === 0;
        byId("left").textContent =
            `At least ${this.content.counted(selection.left)} within these steps are not drawn, because a drawing shows at most ${number(MAX_CARDS)}. Choose fewer steps or one direction, or start from a column.`;
        const kinds = new Set([...selection.edges.values()].map((edge) => edge.kind));
        for (const item of byId("legend").children) {
            const isOfChange = item.dataset.change !== undefined;
            item.hidden = isOfChange
                ? !this.content.data.isComparison
                : !kinds.has(Number(item.dataset.kind)) || kinds.size < 2;
        }
        byId("legend").hidden = [...byId("legend").children].every((item) => item.hidden);
    }

    toggleCard(object, state) {
        this.cardStates.set(object, state);
        const { marks } = this;
        const before = this.drawing.size.byObject.get(object);
        this.drawing.show(this.selection, this.cardStates, true);
        // The card stays where it was, under the pointer.
        const after = this.drawing.size.byObject.get(object);
        const { view } = this.drawing;
        this.drawing.setView({
            ...view,
            x: view.x + (before.x - after.x) * view.scale,
            y: view.y + (before.y - after.y) * view.scale,
        });
        this.marks = marks;
        this.drawing.highlight(marks);
        this.drawing.focusOn(this.content.objectNode(object));
    }

    /** Marks everything upstream and downstream of a column or table. */
    pickNode(node) {
        if (this.pathFrom !== null && this.content.isColumn(node)) {
            this.finishPath(node);
            return;
        }
        if (!this.selection.cards.has(this.content.objectOf(node))) {
            this.focusNode(node);
            return;
        }
        const { upstream, downstream } = this.mark(node);
        const counts = (nodes) => this.details.counts(nodes, this.content.isColumn(node));
        this.say(`${this.content.qualifiedName(node)}: ${counts(upstream)} upstream, ${counts(downstream)} downstream`);
    }

    mark(node) {
        const found = this.details.showNode(node, this.state, this.drawing.edgesOf(node));
        this.picked = node;
        this.marks = nodeMarks(this.content, node, found.upstream, found.downstream);
        this.drawing.highlight(this.marks);
        return found;
    }

    /** Shows an edge, or all edges between two cards that are closed. */
    pickEdges(edges) {
        this.picked = null;
        if (edges.length > 1) {
            this.details.showEdges(edges);
        } else {
            this.details.showEdge(edges[0], this.state, this.content.isColumn(this.state.focus));
        }
        this.marks = edgeMarks(edges);
        this.drawing.highlight(this.marks);
        const [source, target] = [edges[0].source, edges[0].target].map((node) => this.content.qualifiedName(node));
        this.say(edges.length > 1 ? counted(edges.length, "edge") : `Edge from ${source} to ${target}`);
    }

    pickNothing() {
        this.picked = null;
        this.marks = null;
        this.drawing.highlight(null);
        this.details.clear();
    }

    startPath(node) {
        this.pathFrom = node;
        this.details.showPathStart(node, () => this.cancelPath());
        this.say("Pick the other column");
        byId("search").focus();
    }

    cancelPath() {
        const from = this.pathFrom;
        this.pathFrom = null;
        this.pickNode(from);
    }

    finishPath(node) {
        byId("missing").hidden = true;
        Object.assign(this.state, { focus: this.pathFrom, pathTo: node });
        this.pathFrom = null;
        this.picked = null;
        this.cardStates.clear();
        this.draw();
    }

    writeAddress() {
        const address = toAddress(this.content, this.search, this.state);
        if (address !== location.hash) {
            const isSamePlace = this.written !== undefined && this.written === this.state.focus;
            const url = address === "" ? location.pathname + location.search : address;
            isSamePlace ? history.replaceState(null, "", url) : history.pushState(null, "", url);
        }
        this.written = this.state.focus;
    }

    readAddress(address = location.hash) {
        const state = fromAddress(this.search, address);
        this.pathFrom = null;
        this.cardStates.clear();
        byId("missing").hidden = !state?.missing;
        if (state?.missing) {
            byId("missing").replaceChildren("This lineage has no table or column named ", name(state.missing), ".");
        }
        if (state === null || state.focus === null) {
            this.state = { ...this.state, focus: null, pathTo: null };
            this.written = null;
            this.showPart("overview");
            return;
        }
        const { missing, ...rest } = state;
        this.state = rest;
        this.written = rest.focus;
        this.picked = null;
        this.draw();
        if (rest.pathTo === null) {
            this.pickNode(rest.focus);
        }
    }
}

/** Returns the marks for a picked column or table. An edge is marked if it leads from mark to mark. */
function nodeMarks(content, picked, upstream, downstream) {
    const isColumn = content.isColumn(picked);
    const own = isColumn ? new Set([picked]) : new Set([picked, ...content.columnsOf(content.objectOf(picked))]);
    const isIn = (nodes) => (node) => nodes.has(node) || own.has(node);
    const [isUp, isDown] = [isIn(upstream), isIn(downstream)];
    return {
        picked,
        upstream,
        downstream,
        isUpstreamEdge: (edge) => isUp(edge.target) && upstream.has(edge.source),
        isDownstreamEdge: (edge) => isDown(edge.source) && downstream.has(edge.target),
    };
}

function edgeMarks(edges) {
    return {
        picked: null,
        edges,
        upstream: new Set(edges.map((edge) => edge.source)),
        downstream: new Set(edges.map((edge) => edge.target)),
        isUpstreamEdge: () => false,
        isDownstreamEdge: (edge) => edges.includes(edge),
    };
}

/** Returns the marks of the shortest path. */
function pathMarks(path) {
    const steps = new Set(path.shortest.slice(1).map((node, at) => `${path.shortest[at]}:${node}`));
    return {
        picked: null,
        upstream: new Set(),
        downstream: new Set(path.shortest),
        isUpstreamEdge: () => false,
        isDownstreamEdge: (edge) => steps.has(`${edge.source}:${edge.target}`),
    };
}

try {
    globalThis.page = new Page(readContent());
} catch (error) {
    byId("failure").textContent = `This page cannot be shown: ${error.message}`;
    byId("failure").hidden = false;
    throw error;
}
