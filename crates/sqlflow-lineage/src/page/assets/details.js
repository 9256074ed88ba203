// The panel beside the drawing: what is known about the picked column, table or edge.

import { groupBy } from "./content.js";
import { button, counted, element, name, number } from "./dom.js";
import { changeText } from "./drawing.js";
import { DOWNSTREAM, UPSTREAM } from "./graph.js";
import { starts } from "./walk.js";

const ITEMS_SHOWN = 60;
const NO_STATEMENT = -1;

export class Details {
    /** `on` has the functions that are called: `focusNode`, `pickNode`, `pickEdges`, `startPath`. */
    constructor(content, selector, host, on) {
        Object.assign(this, { content, selector, host, on });
    }

    fill(...children) {
        this.host.replaceChildren(...children.filter((child) => child !== null));
        this.host.scrollTop = 0;
    }

    clear() {
        this.fill(
            element(
                "p",
                { class: "hint" },
                "Select a column to see everything upstream and downstream of it, or an edge to see the statement that makes it. A double click on a column draws its surroundings.",
            ),
        );
    }

    /** Shows a column or a table with its edges in the drawing, and returns what is upstream and downstream of it. */
    showNode(node, options, edges) {
        const { content, selector } = this;
        const isColumn = content.isColumn(node);
        const reach = (direction) => {
            const found = selector.walk(direction, options, isColumn).reach(node);
            const own = content.objectOf(node);
            // A table is upstream of itself only through another one, which the drawing shows.
            return isColumn ? found : new Set([...found].filter((other) => content.objectOf(other) !== own));
        };
        const [upstream, downstream] = [reach(UPSTREAM), reach(DOWNSTREAM)];
        const object = content.objectOf(node);
        const kind = isColumn ? (content.isRows[node] ? "Rows" : "Column") : content.kindText(object);
        const change = content.change(node) ? changeText(content, node) : "";
        this.fill(
            element(
                "p",
                { class: "kicker" },
                kind,
                change ? element("span", { class: `tag ${content.change(node)}` }, change) : null,
            ),
            element("h2", {}, name(content.ownName(node))),
            isColumn ? this.parent(object) : element("p", { class: "parent" }, name(content.group(object))),
            element(
                "p",
                { class: "actions" },
                options.focus === node && options.pathTo === null
                    ? null
                    : button("Draw its surroundings", () => this.on.focusNode(node), { class: "surroundings" }),
                isColumn
                    ? button("Find a path from here", () => this.on.startPath(node), { class: "start-path" })
                    : null,
            ),
            this.nodeList("Upstream", "upstream", upstream),
            this.nodeList("Downstream", "downstream", downstream),
            this.statementList("Written by", node, UPSTREAM),
            this.statementList("Read by", node, DOWNSTREAM),
            this.edgeSection(edges),
        );
        return { upstream, downstream };
    }

    /** Returns the edges of the drawing at a column or table, as a list that the keyboard reaches too. */
    edgeSection(edges) {
        if (edges.length === 0) {
            return null;
        }
        const heading = element("h3", {}, "Edges ", element("small", {}, `${counted(edges.length, "edge")} drawn`));
        return element("section", { class: "edge-list" }, heading, this.edgeList(edges));
    }

    edgeList(edges) {
        const { content } = this;
        const item = (edge) => {
            const [source, target] = [edge.source, edge.target].map((node) => name(content.qualifiedName(node)));
            const text = element("span", {}, source, " → ", target);
            return element(
                "li",
                {},
                button(text, () => this.on.pickEdges([edge]), { class: "link" }),
            );
        };
        return this.list(edges, item);
    }

    parent(object) {
        const { content } = this;
        const pick = () => this.on.pickNode(content.objectNode(object));
        return element(
            "p",
            { class: "parent" },
            `of the ${content.kindText(object)} `,
            button(name(content.qualifiedName(content.objectNode(object))), pick, { class: "link" }),
        );
    }

    /** Returns the number of some nodes in words: columns only if a column was asked about. */
    counts(nodes, ofColumn) {
        const { content } = this;
        if (nodes.size === 0) {
            return "nothing";
        }
        const objects = new Set([...nodes].map((node) => content.objectOf(node)));
        const places = content.counted(objects);
        const columns = [...nodes].filter((node) => content.isColumn(node)).length;
        return ofColumn && columns > 0 ? `${counted(columns, "column")} in ${places}` : places;
    }

    nodeList(title, side, nodes) {
        const { content } = this;
        const tables = groupBy(nodes, (node) => content.objectOf(node));
        const section = element(
            "section",
            { class: side },
            element("h3", {}, title, " ", element("small", {}, this.counts(nodes, true))),
        );
        if (nodes.size > 0) {
            const names = new Map(
                [...tables.keys()].map((object) => [object, content.qualifiedName(content.objectNode(object))]),
            );
            const sorted = [...tables].sort(([a], [b]) => names.get(a).localeCompare(names.get(b)) || a - b);
            section.append(this.list(sorted, ([object, found]) => this.tableItem(object, found)));
        }
        return section;
    }

    /** Returns the statements that write or read a column or a table, whatever the switches say. */
    statementList(title, node, direction) {
        const { content } = this;
        const statements = new Set();
        for (const start of starts(content, node)) {
            for (const relationship of this.selector.graph.relationships(start, direction)) {
                statements.add(content.statementOf(relationship));
            }
        }
        statements.delete(NO_STATEMENT);
        if (statements.size === 0) {
            return null;
        }
        const item = (statement) =>
            element(
                "li",
                {},
                name(content.statementName(statement)),
                element("small", {}, " ", name(content.statementPlace(statement))),
            );
        const sorted = [...statements].sort((a, b) => a - b);
        return element(
            "section",
            {},
            element("h3", {}, title, " ", element("small", {}, counted(sorted.length, "statement"))),
            this.list(sorted, item),
        );
    }

    tableItem(object, nodes) {
        const { content } = this;
        const columns = nodes.filter((node) => content.isColumn(node)).sort((a, b) => a - b);
        const link = (node, text) => button(name(text), () => this.on.pickNode(node), { class: "link" });
        const shown = columns.slice(0, ITEMS_SHOWN);
        // A comma stays on the line of its name.
        const separated = shown.map((node, at) =>
            element("span", {}, link(node, content.ownName(node)), at < columns.length - 1 ? "," : null),
        );
        return element(
            "li",
            {},
            link(content.objectNode(object), content.qualifiedName(content.objectNode(object))),
            columns.length > 0
                ? element(
                      "div",
                      { class: "columns" },
                      ...separated,
                      columns.length > ITEMS_SHOWN ? `and ${number(columns.length - ITEMS_SHOWN)} more` : null,
                  )
                : null,
        );
    }

    /** Returns a list that shows its first items, and the others if asked to. */
    list(items, item) {
        const list = element("ul", { class: "nodes" }, ...items.slice(0, ITEMS_SHOWN).map(item));
        if (items.length > ITEMS_SHOWN) {
            const more = element("li", {});
            const show = () => more.replaceWith(...items.slice(ITEMS_SHOWN).map(item));
            more.append(button(`Show ${number(items.length - ITEMS_SHOWN)} more`, show, { class: "link" }));
            list.append(more);
        }
        return list;
    }

    /** Shows an edge: each relationship on the way, with its statement. */
    showEdge(edge, options, fromColumn) {
        const { content, selector } = this;
        const walk = selector.walk(UPSTREAM, options, fromColumn);
        const steps = walk.stepsBetween(edge.target, edge.source).reverse();
        const link = (node) =>
            button(name(content.qualifiedName(node)), () => this.on.pickNode(node), { class: "link" });
        this.fill(
            element(
                "p",
                { class: "kicker" },
                "Edge",
                edge.change ? element("span", { class: `tag ${edge.change}` }, edge.change) : null,
            ),
            element(
                "h2",
                { class: "edge-title" },
                link(edge.source),
                element("span", { class: "arrow" }, " → "),
                link(edge.target),
            ),
            element("h3", {}, counted(steps.length, "relationship")),
            element("ol", { class: "steps" }, ...steps.slice(0, ITEMS_SHOWN).map((step) => this.step(step))),
            steps.length > ITEMS_SHOWN
                ? element("p", { class: "hint" }, `and ${number(steps.length - ITEMS_SHOWN)} more`)
                : null,
        );
    }

    /** Shows the edges that take the same way in the drawing. */
    showEdges(edges) {
        this.fill(
            element("p", { class: "kicker" }, "Edges between two tables"),
            element("h2", {}, counted(edges.length, "edge")),
            this.edgeList(edges),
        );
    }

    step({ relationship, sourceAt }) {
        const { content } = this;
        const label = content.label(relationship);
        const statement = content.statementOf(relationship);
        const [source, target] = [
            content.data.relationships.sources[sourceAt],
            content.data.relationships.target[relationship],
        ];
        const facts = [
            ["Type", label.relation],
            ["Effect", label.effect],
            ["Clause", content.clause(sourceAt)],
            ["Function", label.function],
            ["Statement", statement >= 0 ? content.statementName(statement) : ""],
            ["Place", statement >= 0 ? content.statementPlace(statement) : label.line > 0 ? `line ${label.line}` : ""],
        ].filter(([, value]) => value !== "");
        return element(
            "li",
            {},
            element("p", {}, name(content.qualifiedName(source)), " → ", name(content.qualifiedName(target))),
            element(
                "dl",
                {},
                ...facts.flatMap(([term, value]) => [element("dt", {}, term), element("dd", {}, name(value))]),
            ),
        );
    }

    /** Says that a path is to be completed by a second column. */
    showPathStart(node, cancel) {
        this.fill(
            element("p", { class: "kicker" }, "Path"),
            element("h2", {}, "from ", name(this.content.qualifiedName(node))),
            element("p", {}, "Now pick the other column: in the drawing, or with the search."),
            element("p", { class: "actions" }, button("Cancel", cancel)),
        );
    }

    showPath(from, to, selection) {
        const { content } = this;
        const link = (node) =>
            button(name(content.qualifiedName(node)), () => this.on.pickNode(node), { class: "link" });
        if (selection === null) {
            this.fill(
                element("p", { class: "kicker" }, "Path"),
                element("h2", {}, "No path"),
                element(
                    "p",
                    {},
                    "Nothing leads from ",
                    link(from),
                    " to ",
                    link(to),
                    ", or the other way, over the relationships that are switched on.",
                ),
            );
            return;
        }
        this.fill(
            element("p", { class: "kicker" }, "Path"),
            element("h2", {}, counted(selection.shortest.length - 1, "step")),
            element("ol", { class: "path" }, ...selection.shortest.map((node) => element("li", {}, link(node)))),
            element(
                "p",
                { class: "hint" },
                `The drawing shows all paths: ${content.counted(selection.cards.keys())}. The shortest one is listed.`,
            ),
        );
    }
}
