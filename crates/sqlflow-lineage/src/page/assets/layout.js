// Places: cards in ranks from left to right by the library dagre, rows in cards, and the curves of edges.

import { fitted, textWidth } from "./dom.js";

export const ROW_HEIGHT = 24;
export const ROWS_WHEN_FOLDED = 8;
export const FONT = "13px system-ui, -apple-system, 'Segoe UI', sans-serif";
export const TITLE_FONT = "600 13.5px system-ui, -apple-system, 'Segoe UI', sans-serif";
export const SMALL_FONT = "11px system-ui, -apple-system, 'Segoe UI', sans-serif";

const MIN_WIDTH = 150;
const MAX_WIDTH = 290;
const SIDE_PADDING = 14;

/** The states of a card: its head alone, the columns that are involved, or all columns. */
export const CLOSED = "closed";
export const FOLDED = "folded";
export const OPEN = "open";

/** In drawings of more cards than this, all cards but that of the focus are closed unless they are opened. */
const MANY_CARDS = 60;

/** Returns the cards of a selection with their rows and sizes. `states` has the states that were chosen. */
export function cardsOf(content, selection, states) {
    const usual = selection.cards.size > MANY_CARDS ? CLOSED : FOLDED;
    const focus = content.objectOf(selection.focus);
    const state = (object) => states.get(object) ?? (object === focus ? FOLDED : usual);
    return [...selection.cards].map(([object, shown]) => card(content, selection, object, shown, state(object)));
}

function card(content, selection, object, shown, state) {
    const isFocus = content.objectOf(selection.focus) === object;
    const order = (a, b) => a - b;
    const involved = [...shown].sort(order);
    const isTable = isFocus && !content.isColumn(selection.focus);
    const connected = isTable ? firstConnected(selection, involved) : involved;
    const known = new Set(connected);
    const all = content.columnsOf(object).filter((column) => !content.isRows[column] || known.has(column));
    let rows = state === OPEN ? all : connected.slice(0, ROWS_WHEN_FOLDED);
    if (state === CLOSED) {
        rows = [];
    }
    const hidden = state === CLOSED ? 0 : all.length - rows.length;
    const group = content.group(object);
    const kind = content.kindText(object);
    const texts = [
        textWidth(content.objectName(object).slice(0, 80), TITLE_FONT) + 34,
        textWidth(`${group.slice(0, 80)}   ${kind}`, SMALL_FONT) + 34,
        ...rows.map((row) => textWidth(content.ownName(row).slice(0, 80), FONT) + 14),
    ];
    const width = Math.min(MAX_WIDTH, Math.max(MIN_WIDTH, Math.ceil(Math.max(...texts))) + 2 * SIDE_PADDING);
    const headHeight = 46;
    const count = rows.length + (hidden > 0 || state === OPEN ? 1 : 0);
    return {
        object,
        node: content.objectNode(object),
        state,
        isFocus,
        rows,
        hidden,
        title: fitted(content.objectName(object), TITLE_FONT, width - 2 * SIDE_PADDING - 18),
        group: fitted(group, SMALL_FONT, width - 2 * SIDE_PADDING - textWidth(kind, SMALL_FONT) - 14),
        kind,
        labels: rows.map((row) => fitted(content.ownName(row), FONT, width - 2 * SIDE_PADDING)),
        width,
        headHeight,
        height: headHeight + count * ROW_HEIGHT + (count > 0 ? 6 : 0),
        hasMoreRow: count > rows.length,
    };
}

/**
 * Returns the columns of the table in focus: if they do not all fit, those with an edge first, so that folding hides
 * the others. Its rows are among them only if they have an edge.
 */
function firstConnected(selection, columns) {
    const connected = new Set();
    for (const { source, target } of selection.edges.values()) {
        connected.add(source).add(target);
    }
    const shown = columns.filter((column) => connected.has(column) || !selection.content.isRows[column]);
    if (shown.length <= ROWS_WHEN_FOLDED) {
        return shown;
    }
    const has = (column) => connected.has(column);
    return [...shown.filter(has), ...shown.filter((column) => !has(column))];
}

/** Drawings with more edges between cards than this are placed by those of them that tell the ranks. */
const MANY_EDGES = 220;

/** Returns the pairs of cards with an edge between them, the most edges first. */
function pairsOf(content, edges) {
    const pairs = new Map();
    for (const { source, target } of edges) {
        const [from, to] = [content.objectOf(source), content.objectOf(target)];
        if (from !== to) {
            const key = `${from}:${to}`;
            pairs.set(key, { from, to, weight: (pairs.get(key)?.weight ?? 0) + 1 });
        }
    }
    return [...pairs.values()].sort((a, b) => b.weight - a.weight);
}

/**
 * Returns the pairs that decide the places. The time that dagre takes grows with the ranks that edges span, so in a large
 * drawing only edges between neighbouring ranks count: first one for each card, then others. All edges are drawn.
 */
function deciding(selection, pairs) {
    if (pairs.length <= MANY_EDGES) {
        return pairs;
    }
    const rank = (object) => selection.ranks.get(object);
    const near = pairs.filter(({ from, to }) => rank(to) - rank(from) === 1);
    const placed = new Set();
    const first = near.filter(({ from, to }) => {
        const far = Math.abs(rank(from)) > Math.abs(rank(to)) ? from : to;
        const isFirst = !placed.has(far);
        placed.add(far);
        return isFirst;
    });
    const known = new Set(first);
    const others = near.filter((pair) => !known.has(pair));
    return [...first, ...others.slice(0, Math.max(0, MANY_EDGES - first.length))];
}

const NAMES = new Intl.Collator("en", { numeric: true });

/**
 * Returns pairs from Z to A. If several places are as good for a card, dagre puts that of a later pair above that of an
 * earlier one, so the cards are in the order of their names from top to bottom.
 */
function fromBottom(content, pairs) {
    const name = (object) => content.qualifiedName(content.objectNode(object));
    const order = (a, b) => NAMES.compare(name(b), name(a)) || b - a;
    return [...pairs].sort((a, b) => order(a.from, b.from) || order(a.to, b.to));
}

/** Places the cards, and returns the size of the whole drawing. */
export function place(content, selection, cards, edges) {
    const graph = new dagre.graphlib.Graph();
    graph.setGraph({
        rankdir: "LR",
        nodesep: 26,
        ranksep: 90,
        edgesep: 12,
        marginx: 24,
        marginy: 24,
        ranker: "tight-tree",
    });
    graph.setDefaultEdgeLabel(() => ({}));
    const byObject = new Map(cards.map((one) => [one.object, one]));
    for (const one of cards) {
        graph.setNode(String(one.object), { width: one.width, height: one.height });
    }
    for (const { from, to, weight } of fromBottom(content, deciding(selection, pairsOf(content, edges)))) {
        graph.setEdge(String(from), String(to), { weight });
    }
    dagre.layout(graph);
    for (const one of cards) {
        const { x, y } = graph.node(String(one.object));
        one.x = Math.round(x - one.width / 2);
        one.y = Math.round(y - one.height / 2);
    }
    const right = Math.max(...cards.map((one) => one.x + one.width));
    const bottom = Math.max(...cards.map((one) => one.y + one.height));
    return { width: right + 24, height: bottom + 24, byObject };
}

/** Returns the height at which an edge meets a card. */
function portOf(content, card, node) {
    const at = content.isColumn(node) ? card.rows.indexOf(node) : -1;
    if (at >= 0) {
        return card.y + card.headHeight + at * ROW_HEIGHT + ROW_HEIGHT / 2;
    }
    if (content.isColumn(node) && card.state !== CLOSED && card.hasMoreRow) {
        return card.y + card.headHeight + card.rows.length * ROW_HEIGHT + ROW_HEIGHT / 2;
    }
    return card.y + card.headHeight / 2;
}

/** Returns the path of an edge: out of the right side of its source, into the left side of its target. */
export function curve(content, byObject, edge) {
    const from = byObject.get(content.objectOf(edge.source));
    const to = byObject.get(content.objectOf(edge.target));
    const [x1, y1] = [from.x + from.width, portOf(content, from, edge.source)];
    const [x2, y2] = [to.x - 7, portOf(content, to, edge.target)];
    if (from === to) {
        const out = x1 + 34;
        return `M${x1} ${y1}C${out} ${y1} ${out} ${y2} ${x1 + 7} ${y2}`;
    }
    const reach = x2 > x1 ? Math.max(36, (x2 - x1) / 2) : Math.min(240, 90 + (x1 - x2) / 4);
    return `M${x1} ${y1}C${x1 + reach} ${y1} ${x2 - reach} ${y2} ${x2} ${y2}`;
}
