// The part of the lineage that is drawn: the surroundings of a table or column, or the paths between two columns.

import { DOWNSTREAM, UPSTREAM, VALUE } from "./graph.js";
import { STOP_AT_ALL, STOP_AT_COLUMNS, STOP_AT_ROWS, starts, Walk } from "./walk.js";

/** The number of cards that are drawn at most. */
export const MAX_CARDS = 300;

/** A drawing that opens by itself has about this many cards at most. */
const COMFORTABLE_CARDS = 24;

const MAX_OWN_DEPTH = 3;

/** The part that is drawn: columns and objects, grouped into cards, and the edges between them. */
export class Selection {
    constructor(content, focus) {
        this.content = content;
        this.focus = focus;
        this.nodes = new Set();
        this.cards = new Map();
        /** The distance of each object from the focus, which is negative upstream. */
        this.ranks = new Map();
        this.edges = new Map();
        /** The objects that are left out because there are too many. */
        this.left = new Set();
        this.limit = MAX_CARDS;
    }

    /** Adds a node with its card, which is one step from that of `near`. Returns `false` if there is no room for it. */
    add(node, near = null, step = 0) {
        const object = this.content.objectOf(node);
        if (!this.cards.has(object)) {
            if (this.cards.size >= this.limit) {
                this.left.add(object);
                return false;
            }
            this.cards.set(object, new Set());
            this.left.delete(object);
            const rank = near === null ? 0 : this.ranks.get(this.content.objectOf(near));
            this.ranks.set(object, rank + step);
        }
        this.nodes.add(node);
        if (this.content.isColumn(node)) {
            this.cards.get(object).add(node);
        }
        return true;
    }

    connect(source, target, kind, change) {
        const key = `${source}:${target}`;
        const known = this.edges.get(key);
        if (!known) {
            this.edges.set(key, { source, target, kind, change, kinds: new Set([kind]) });
        } else {
            known.kind = Math.min(known.kind, kind);
            known.change ||= change;
            known.kinds.add(kind);
        }
    }
}

/** Answers which part of a lineage is drawn. */
export class Selector {
    constructor(graph, stars) {
        this.graph = graph;
        this.content = graph.content;
        this.stars = stars;
    }

    /** Returns the walk of some options, from a node of the given kind. */
    walk(direction, options, fromColumn) {
        const kinds = new Set([VALUE, ...options.kinds]);
        const stopAt = options.intermediates ? STOP_AT_ALL : fromColumn ? STOP_AT_COLUMNS : STOP_AT_ROWS;
        return new Walk(this.graph, this.stars, direction, kinds, stopAt);
    }

    /** Returns the surroundings of a column or an object. */
    surroundings(focus, options, limit = MAX_CARDS) {
        const selection = new Selection(this.content, focus);
        selection.limit = limit;
        for (const start of starts(this.content, focus)) {
            selection.add(start);
        }
        if (options.direction === "both") {
            // Neither direction takes the room of the other; what one leaves is for both.
            selection.limit = Math.ceil(limit / 2);
            this.explore(selection, focus, UPSTREAM, options);
            selection.limit = limit;
            this.explore(selection, focus, DOWNSTREAM, options);
        }
        for (const direction of [UPSTREAM, DOWNSTREAM]) {
            const isAsked = options.direction === "both" ? selection.left.size > 0 : options.direction === direction;
            if (isAsked && selection.cards.size < limit) {
                this.explore(selection, focus, direction, options);
            }
        }
        return selection;
    }

    /** Returns the depth at which the surroundings of a node make a drawing that can be taken in at a glance. */
    comfortableDepth(focus, options) {
        for (let depth = MAX_OWN_DEPTH; depth > 1; depth--) {
            const { left } = this.surroundings(focus, { ...options, depth }, COMFORTABLE_CARDS);
            if (left.size === 0) {
                return depth;
            }
        }
        return 1;
    }

    explore(selection, focus, direction, options) {
        const walk = this.walk(direction, options, this.content.isColumn(focus));
        const depths = new Map(starts(this.content, focus).map((node) => [node, 0]));
        const todo = [...depths.keys()];
        for (let next = 0; next < todo.length; next++) {
            const near = todo[next];
            const depth = depths.get(near);
            if (depth >= options.depth) {
                continue;
            }
            walk.hops(near, depth === 0, (far, kind, change) => {
                const [from, to] = [this.stars.nodeOf(near), this.stars.nodeOf(far)];
                if (!selection.add(to, from, direction === UPSTREAM ? -1 : 1)) {
                    return;
                }
                if (kind !== null) {
                    const [source, target] = direction === UPSTREAM ? [to, from] : [from, to];
                    selection.connect(source, target, kind, change);
                }
                if (!depths.has(far)) {
                    depths.set(far, depth + 1);
                    todo.push(far);
                }
            });
        }
    }

    /** Returns everything on the paths from one column to another, in whichever direction there are any. */
    paths(first, second, options) {
        for (const [source, target] of [
            [first, second],
            [second, first],
        ]) {
            const down = this.walk(DOWNSTREAM, options, true).reach(source);
            if (down.has(target)) {
                const up = this.walk(UPSTREAM, options, true).reach(target);
                const isOnPath = (node) => node === source || node === target || (down.has(node) && up.has(node));
                return this.between(source, target, isOnPath, options);
            }
        }
        return null;
    }

    between(source, target, isOnPath, options) {
        const selection = new Selection(this.content, source);
        const walk = this.walk(DOWNSTREAM, options, true);
        const cameFrom = new Map([[source, null]]);
        const todo = [source];
        const hops = [];
        for (let next = 0; next < todo.length; next++) {
            const near = todo[next];
            walk.hops(near, next === 0, (far, kind, change) => {
                const [from, to] = [this.stars.nodeOf(near), this.stars.nodeOf(far)];
                if (!isOnPath(to)) {
                    return;
                }
                hops.push({ from, to, kind, change });
                if (!cameFrom.has(far)) {
                    cameFrom.set(far, near);
                    todo.push(far);
                }
            });
        }
        selection.target = target;
        selection.shortest = [];
        // A target that is a star is reached together with the name of a value.
        const isEnd = (position) => position !== source && this.stars.nodeOf(position) === target;
        for (let at = todo.find(isEnd) ?? source; at !== null; at = cameFrom.get(at)) {
            selection.shortest.unshift(this.stars.nodeOf(at));
        }
        // The cards of the shortest path have room before all others.
        for (const [at, node] of selection.shortest.entries()) {
            selection.add(node, at === 0 ? null : selection.shortest[at - 1], 1);
        }
        for (const { from, to, kind, change } of hops) {
            if (selection.nodes.has(from) && selection.add(to, from, 1) && kind !== null) {
                selection.connect(from, to, kind, change);
            }
        }
        return selection;
    }
}
