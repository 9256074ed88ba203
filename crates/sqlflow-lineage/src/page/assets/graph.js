// The relationships of each node, and which of them a question follows.

const CARRIES_VALUES = 1;
const IS_FOREIGN_KEY = 2;

export const UPSTREAM = "upstream";
export const DOWNSTREAM = "downstream";

/** The kinds of edges in a drawing. Only values flow unless a switch adds others. */
export const VALUE = 0;
export const FILTER = 1;
export const KEY = 2;
export const CALL = 3;
export const OTHER = 4;

/** The switches, each with the kind of edges that it adds. */
export const SWITCHES = [
    {
        kind: FILTER,
        option: "filters",
        label: "Filters and joins",
        title: "Columns used to filter or join, and indirect flows (fdr, frd, join, fddi)",
    },
    { kind: KEY, option: "keys", label: "Foreign keys", title: "Constraints, along which nothing flows" },
    { kind: CALL, option: "calls", label: "Calls", title: "Routines that call routines" },
    { kind: OTHER, option: "others", label: "Other relationships", title: "Relationships of all other types" },
];

/** Returns the kind of a type of relationships. */
function kindOfType(relation, traits) {
    if (relation === "er") {
        return KEY;
    }
    if (traits & CARRIES_VALUES) {
        return VALUE;
    }
    if (["fdr", "frd", "join", "fddi"].includes(relation)) {
        return FILTER;
    }
    return relation === "call" ? CALL : OTHER;
}

export class Graph {
    constructor(content) {
        this.content = content;
        const { labels, relationships } = content.data;
        this.traits = labels.traits;
        this.typeOfLabel = labels.relation.map((relation, at) => kindOfType(content.texts[relation], this.traits[at]));
        this.kindOfLabel = this.typeOfLabel.map((kind, at) => (this.traits[at] & IS_FOREIGN_KEY ? KEY : kind));
        this.first = relationships.first;
        this.sources = relationships.sources;
        this.target = relationships.target;
        this.labelOf = relationships.label;
        const count = this.target.length;
        this.into = new Lists(content.nodeCount, (add) => {
            for (let at = 0; at < count; at++) {
                add(this.target[at], at);
            }
        });
        this.outOf = new Lists(content.nodeCount, (add) => {
            for (let at = 0; at < count; at++) {
                for (let source = this.first[at]; source < this.first[at + 1]; source++) {
                    add(this.sources[source], at);
                }
            }
        });
    }

    kind(relationship) {
        return this.kindOfLabel[this.labelOf[relationship]];
    }

    /** Returns `true` if a walk over some kinds follows a relationship. A foreign key needs the kind of its type too. */
    isFollowed(relationship, kinds) {
        const label = this.labelOf[relationship];
        return kinds.has(this.kindOfLabel[label]) && kinds.has(this.typeOfLabel[label]);
    }

    /** Returns `true` if the type of a relationship is one along which values flow, be it a foreign key or not. */
    carriesValues(relationship) {
        return (this.traits[this.labelOf[relationship]] & CARRIES_VALUES) !== 0;
    }

    /** Returns the kinds of relationships that there are. */
    kinds() {
        return new Set([...this.kindOfLabel, ...this.typeOfLabel]);
    }

    /** Returns the relationships along which a walk leaves a node. */
    relationships(node, direction) {
        return (direction === UPSTREAM ? this.into : this.outOf).of(node);
    }

    /** Calls `visit` with the nodes at the other end of a relationship, and with the position of each source. */
    ends(relationship, direction, node, visit) {
        if (direction === DOWNSTREAM) {
            visit(this.target[relationship], this.positionOf(relationship, node));
            return;
        }
        for (let at = this.first[relationship]; at < this.first[relationship + 1]; at++) {
            visit(this.sources[at], at);
        }
    }

    positionOf(relationship, source) {
        for (let at = this.first[relationship]; at < this.first[relationship + 1]; at++) {
            if (this.sources[at] === source) {
                return at;
            }
        }
        return -1;
    }
}

/** A list of numbers for each node, in one array. */
class Lists {
    constructor(count, each) {
        this.starts = new Uint32Array(count + 1);
        each((node) => {
            this.starts[node]++;
        });
        let total = 0;
        for (let node = 0; node <= count; node++) {
            total += this.starts[node];
            this.starts[node] = total;
        }
        this.items = new Uint32Array(total);
        // Each list is filled from its end, so that `starts` holds the beginnings when all are filled.
        each((node, item) => {
            this.items[--this.starts[node]] = item;
        });
    }

    of(node) {
        return this.items.subarray(this.starts[node], this.starts[node + 1]);
    }
}
