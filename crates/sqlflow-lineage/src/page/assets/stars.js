// Columns named `*`, which stand for all columns of a result: a value that passes through one keeps its name.
//
// A position in a walk is a node, together with the name of the value if the node is a star.

export class Stars {
    constructor(content, graph) {
        const { columns, named, names } = content.data.stars;
        this.graph = graph;
        this.nodeCount = content.nodeCount;
        this.stars = new Set(columns);
        this.names = new Map(named.map((column, at) => [column, names[at]]));
        this.contents = new Map();
    }

    get isEmpty() {
        return this.stars.size === 0;
    }

    concerns(node) {
        return this.stars.has(node) || this.names.has(node);
    }

    position(node, name) {
        return name === undefined ? node : node + this.nodeCount * (name + 1);
    }

    nodeOf(position) {
        return position % this.nodeCount;
    }

    nameOf(position) {
        return position < this.nodeCount ? undefined : Math.floor(position / this.nodeCount) - 1;
    }

    /** Returns `true` if a value of this name flows into a star, also through other stars. */
    holds(star, name) {
        let content = this.contents.get(star);
        if (!content) {
            content = this.contentOf(star);
            this.contents.set(star, content);
        }
        return content.has(name);
    }

    contentOf(star) {
        const found = new Set();
        const seen = new Set([star]);
        for (const next of seen) {
            for (const relationship of this.graph.into.of(next)) {
                if (!this.graph.carriesValues(relationship)) {
                    continue;
                }
                const [from, to] = [this.graph.first[relationship], this.graph.first[relationship + 1]];
                for (const source of this.graph.sources.slice(from, to)) {
                    if (this.stars.has(source)) {
                        seen.add(source);
                    } else if (this.names.has(source)) {
                        found.add(this.names.get(source));
                    }
                }
            }
        }
        return found;
    }

    /** Follows a value against the direction of its flow. Returns `undefined` if it does not come from there. */
    upstream(position, to) {
        const [node, name] = [this.nodeOf(position), this.nameOf(position)];
        const [fromStar, toStar] = [this.stars.has(node), this.stars.has(to)];
        if (fromStar && toStar) {
            return this.position(to, name);
        }
        if (fromStar) {
            const other = this.names.get(to);
            return name !== undefined && other !== undefined && other !== name ? undefined : to;
        }
        if (toStar) {
            const own = this.names.get(node);
            return this.position(to, own !== undefined && this.holds(to, own) ? own : undefined);
        }
        return to;
    }

    /** Follows a value in the direction of its flow; see {@link upstream}, which it mirrors. */
    downstream(position, to) {
        const [node, name] = [this.nodeOf(position), this.nameOf(position)];
        const [fromStar, toStar] = [this.stars.has(node), this.stars.has(to)];
        if (fromStar && toStar) {
            return this.position(to, name);
        }
        if (fromStar) {
            const target = this.names.get(to);
            const isOther = name !== undefined && target !== undefined && target !== name && this.holds(node, target);
            return isOther ? undefined : to;
        }
        return toStar ? this.position(to, this.names.get(node)) : to;
    }
}
