// Walks from a node to the next nodes that are shown, through those that are not. The rules are those of the library
// that made the page, so that a drawing shows what its answers say.

import { ROLE_HIDDEN } from "./content.js";
import { FILTER, UPSTREAM, VALUE } from "./graph.js";

/** The nodes that a walk stops at: columns, columns and rows, or every node. */
export const STOP_AT_COLUMNS = "columns";
export const STOP_AT_ROWS = "rows";
export const STOP_AT_ALL = "all";

/** No relationship: the step between a column and the rows of its object. */
export const NO_RELATIONSHIP = -1;

export class Walk {
    /**
     * @param kinds the kinds of relationships that are followed
     * @param stopAt the nodes that are shown
     */
    constructor(graph, stars, direction, kinds, stopAt) {
        this.content = graph.content;
        this.graph = graph;
        this.stars = stars;
        this.direction = direction;
        this.kinds = kinds;
        this.stopAt = stopAt;
        this.followsRows = kinds.has(FILTER);
    }

    /** Returns `true` if values end at an object, so that a walk does not go on through it. */
    endsAt(object) {
        return this.content.role(object) !== ROLE_HIDDEN;
    }

    shows(node) {
        const object = this.content.objectOf(node);
        if (object < 0) {
            return false;
        }
        if (this.stopAt === STOP_AT_ALL) {
            return true;
        }
        const isHiddenRows =
            this.stopAt === STOP_AT_COLUMNS && this.content.isColumn(node) && this.content.isRows[node];
        return this.endsAt(object) && !isHiddenRows;
    }

    /**
     * Calls `visit` with every step from a position: the next position, the relationship, and the position of its
     * source. A walk that begins at an object begins at its columns too, so at its start it does not go on to them.
     */
    step(position, isStart, visit, enter = () => true) {
        const node = this.stars.nodeOf(position);
        this.along(position, visit, enter);
        this.betweenColumnAndRows(node, visit);
        const object = this.content.objectOf(node);
        if (object < 0 || this.endsAt(object)) {
            return;
        }
        if (this.content.isColumn(node)) {
            this.along(this.content.objectNode(object), visit, enter);
        } else if (!isStart) {
            for (const column of this.content.columnsOf(object)) {
                this.along(column, visit, enter);
            }
        }
    }

    along(position, visit, enter) {
        const node = this.stars.nodeOf(position);
        for (const relationship of this.graph.relationships(node, this.direction)) {
            if (!this.graph.isFollowed(relationship, this.kinds) || !enter(relationship, position)) {
                continue;
            }
            this.graph.ends(relationship, this.direction, node, (end, sourceAt) => {
                const next = this.next(position, end, relationship);
                if (next !== undefined) {
                    visit(next, relationship, sourceAt);
                }
            });
        }
    }

    next(position, end, relationship) {
        if (this.stars.isEmpty || !this.graph.carriesValues(relationship)) {
            return end;
        }
        return this.direction === UPSTREAM ? this.stars.upstream(position, end) : this.stars.downstream(position, end);
    }

    /** Calls `visit` with the rows of an object or its columns: what decides its rows decides the values of its columns. */
    betweenColumnAndRows(node, visit) {
        if (!this.followsRows || !this.content.isColumn(node)) {
            return;
        }
        const object = this.content.objectOf(node);
        const isRows = this.content.isRows[node];
        if (this.direction === UPSTREAM && !isRows) {
            for (const rows of this.content.rowsOf.get(object) ?? []) {
                visit(rows, NO_RELATIONSHIP, -1);
            }
        } else if (this.direction !== UPSTREAM && isRows) {
            for (const column of this.content.columnsOf(object)) {
                if (!this.content.isRows[column]) {
                    visit(column, NO_RELATIONSHIP, -1);
                }
            }
        }
    }

    /** Returns the nodes that are reached from a column or an object, without those that only a row set leads to. */
    reach(start, depth = Number.POSITIVE_INFINITY) {
        const found = new Set();
        const seen = new Set();
        const entered = new Set();
        // A relationship leads to the same nodes wherever it is entered, unless a star is involved.
        const enter = (relationship, position) => {
            if (position >= this.content.nodeCount || this.stars.concerns(position)) {
                return true;
            }
            const isNew = !entered.has(relationship);
            entered.add(relationship);
            return isNew;
        };
        let near = starts(this.content, start).map((node) => [node, this.content.isColumn(start)]);
        for (let hops = 0; near.length > 0 && hops < depth; hops++) {
            const far = [];
            while (near.length > 0) {
                const [position, counted] = near.pop();
                const visit = (to, relationship) => {
                    const counts = counted || relationship !== NO_RELATIONSHIP;
                    const key = to * 2 + (counts ? 1 : 0);
                    if (seen.has(key)) {
                        return;
                    }
                    seen.add(key);
                    const node = this.stars.nodeOf(to);
                    if (!this.shows(node)) {
                        near.push([to, counts]);
                        return;
                    }
                    if (counts) {
                        found.add(node);
                    }
                    far.push([to, counts]);
                };
                this.step(position, false, visit, enter);
            }
            near = far;
        }
        return found;
    }

    /** Calls `arrive` with each position that is one hop away, and with the kind of the hop. */
    hops(from, isStart, arrive) {
        const seen = new Set();
        const hidden = [[from, VALUE, ""]];
        let atStart = isStart;
        while (hidden.length > 0) {
            const [position, kind, change] = hidden.pop();
            const visit = (to, relationship) => {
                const isStep = relationship !== NO_RELATIONSHIP;
                const nextKind = kind === VALUE && isStep ? this.graph.kind(relationship) : kind;
                const nextChange = isStep && !change ? this.content.changeOf(relationship) : change;
                const key = to * 8 + nextKind;
                if (seen.has(key)) {
                    return;
                }
                seen.add(key);
                const node = this.stars.nodeOf(to);
                if (this.shows(node)) {
                    arrive(to, isStep || position !== from ? nextKind : null, nextChange);
                } else {
                    hidden.push([to, nextKind, nextChange]);
                }
            };
            this.step(position, atStart, visit);
            atStart = false;
        }
    }

    /**
     * Returns the steps by which a hop leads from one node to another, sources first: each is a relationship, its
     * source and the position of the source.
     */
    stepsBetween(near, far) {
        const steps = [];
        const seen = new Set([near]);
        const hidden = [near];
        let isStart = true;
        while (hidden.length > 0) {
            const position = hidden.shift();
            const visit = (to, relationship, sourceAt) => {
                steps.push({ from: position, to, relationship, sourceAt });
                if (!seen.has(to) && !this.shows(this.stars.nodeOf(to))) {
                    seen.add(to);
                    hidden.push(to);
                }
            };
            this.step(position, isStart, visit);
            isStart = false;
        }
        return leadingTo(steps, (position) => this.stars.nodeOf(position) === far);
    }
}

/** Returns the nodes at which a walk from a column or an object begins. */
export function starts(content, node) {
    return content.isColumn(node) ? [node] : [...content.columnsOf(content.objectOf(node)), node];
}

/** Returns those of some steps that lead to an end, each relationship once. */
function leadingTo(steps, isEnd) {
    const leads = new Set();
    let size = -1;
    while (size !== leads.size) {
        size = leads.size;
        for (const step of steps) {
            if (isEnd(step.to) || leads.has(step.to)) {
                leads.add(step.from);
            }
        }
    }
    const seen = new Set();
    return steps.filter((step) => {
        const key = `${step.relationship}:${step.sourceAt}`;
        const isOn = step.relationship !== NO_RELATIONSHIP && (isEnd(step.to) || leads.has(step.to));
        const isNew = isOn && !seen.has(key);
        seen.add(key);
        return isNew;
    });
}
