// The overview that a page opens on: what there is, what is missing, and what changed.

import { groupBy, ROLE_HIDDEN, ROLE_STORED } from "./content.js";
import { button, counted, element, name, number } from "./dom.js";
import { changeText } from "./drawing.js";
import { VALUE } from "./graph.js";

const ROWS_SHOWN = 12;
const ROWS_MORE = 200;
/** So many tables are listed without being asked for. */
const FEW_TABLES = 40;

export class Overview {
    constructor(content, graph, host, focusNode) {
        Object.assign(this, { content, graph, host, focusNode });
        this.objects = Array.from({ length: content.objectCount }, (_, object) => object);
        this.stored = this.objects.filter((object) => content.role(object) === ROLE_STORED);
    }

    show() {
        const { content } = this;
        const sections = [this.counts()];
        if (content.data.isComparison) {
            sections.push(this.changes());
        }
        sections.push(this.summary(), this.unresolved(), this.messages());
        if (this.stored.length > 0) {
            sections.push(this.busiest(), this.groups());
        } else if (content.data.summary === null) {
            sections.unshift(this.empty());
        }
        this.host.replaceChildren(...sections.filter(Boolean));
    }

    /** Says why there is nothing to see. */
    empty() {
        const { content } = this;
        const results = this.objects.filter((object) => content.role(object) !== ROLE_HIDDEN);
        const errors = content.data.messages.length;
        let reason =
            "The document holds no tables, views or columns: the SQL has no statement that moves data, or none was read.";
        if (results.length > 0) {
            reason =
                "The SQL stores nothing: its queries only return results. Search for a column to see where it comes from.";
        } else if (errors > 0) {
            reason = `The document holds no tables or views, and ${counted(errors, "message")} about the SQL: see below.`;
        }
        return element(
            "section",
            { class: "empty" },
            element("h2", {}, "There is no lineage to draw"),
            element("p", {}, reason),
        );
    }

    /** Returns the number of flows of a comparison, in which a flow has a relationship for each statement. */
    flowCount() {
        const { graph } = this;
        return new Set(graph.target.map((target, at) => `${graph.sources[graph.first[at]]}:${target}`)).size;
    }

    counts() {
        const { content, stored } = this;
        const columns = stored.reduce((sum, object) => sum + content.columnCountOf(object), 0);
        const facts = [
            [stored.length, "tables and views"],
            [columns, "columns"],
            content.data.isComparison ? [this.flowCount(), "flows"] : [content.data.relationshipCount, "relationships"],
            [content.statementCount, "statements"],
        ].filter(([count]) => count > 0);
        return element(
            "dl",
            { class: "counts" },
            ...facts.map(([count, what]) =>
                element("div", {}, element("dt", {}, what), element("dd", {}, number(count))),
            ),
        );
    }

    link(node, text = this.content.qualifiedName(node)) {
        return button(name(text), () => this.focusNode(node), { class: "link" });
    }

    section(id, title, count, ...children) {
        const heading = element("h2", { id }, title, count === null ? null : element("small", {}, ` ${number(count)}`));
        return element("section", { "aria-labelledby": id }, heading, ...children);
    }

    /** Returns a table that shows its first rows, and more if asked to. */
    table(headings, rows, row) {
        const body = element("tbody", {});
        const head = element("tr", {}, ...headings.map((heading) => element("th", { scope: "col" }, heading)));
        const table = element("table", {}, element("thead", {}, head), body);
        const box = element("div", { class: "table" }, table);
        let shown = 0;
        const more = button("", () => show(ROWS_MORE), { class: "more" });
        const show = (count) => {
            body.append(
                ...rows
                    .slice(shown, shown + count)
                    .map((item) => element("tr", {}, ...row(item).map((cell) => element("td", {}, cell)))),
            );
            shown = Math.min(rows.length, shown + count);
            more.textContent = `Show more: ${number(rows.length - shown)} left`;
            more.hidden = shown === rows.length;
        };
        show(ROWS_SHOWN);
        box.append(more);
        return box;
    }

    summary() {
        const { summary } = this.content.data;
        if (summary === null) {
            return null;
        }
        const counts = summary.counts.map(([what, count]) => element("li", {}, counted(count, what)));
        const tables = summary.tables.map((table) => element("li", {}, name(table)));
        return this.section(
            "summary",
            "What the server counted",
            null,
            element("ul", {}, ...counts),
            tables.length > 0 ? element("h3", {}, "Tables with the most relationships") : null,
            tables.length > 0 ? element("ol", {}, ...tables) : null,
        );
    }

    unresolved() {
        const { content } = this;
        const { unresolved } = content.data;
        if (unresolved.length === 0) {
            return null;
        }
        const other = ({ other: node }) => (node >= 0 && node < content.firstStatement ? this.link(node) : "");
        return this.section(
            "unresolved",
            "Could not be followed",
            unresolved.length,
            element(
                "p",
                { class: "hint" },
                "Each of these names means no table or column of the lineage, or several. Flows through them are missing from every drawing.",
            ),
            this.table(["Not found", "As", "Other endpoint", "Type", "Statement"], unresolved, (item) => [
                name(item.name),
                item.isSource ? "source" : "target",
                other(item),
                item.relation,
                name(item.statement),
            ]),
        );
    }

    messages() {
        const { messages } = this.content.data;
        if (messages.length === 0) {
            return null;
        }
        const kind = (message) =>
            element("span", { class: /error/iu.test(message.kind) ? "tag error" : "tag" }, message.kind);
        return this.section(
            "messages",
            "Errors and warnings",
            messages.length,
            this.table(["Kind", "Where", "Message"], messages, (message) => [
                kind(message),
                name(message.place),
                name(message.text),
            ]),
        );
    }

    /** The tables with the most flows from and to other tables. */
    busiest() {
        const { content, graph } = this;
        const counts = new Map();
        const count = (node, side) => {
            const object = content.objectOf(node);
            if (object >= 0 && content.role(object) === ROLE_STORED) {
                const known = counts.get(object) ?? { object, into: 0, outOf: 0 };
                known[side]++;
                counts.set(object, known);
            }
        };
        for (let at = 0; at < graph.target.length; at++) {
            if (graph.kind(at) !== VALUE) {
                continue;
            }
            count(graph.target[at], "into");
            for (let source = graph.first[at]; source < graph.first[at + 1]; source++) {
                count(graph.sources[source], "outOf");
            }
        }
        const busiest = [...counts.values()]
            .sort((a, b) => b.into + b.outOf - a.into - a.outOf || a.object - b.object)
            .slice(0, 10);
        if (busiest.length === 0) {
            return this.section(
                "busiest",
                "Busiest tables",
                null,
                element("p", { class: "hint" }, "No value flows from or to a table."),
            );
        }
        const most = busiest[0].into + busiest[0].outOf;
        const share = (side, value) => bar(side, (100 * value) / most);
        return this.section(
            "busiest",
            "Busiest tables",
            null,
            element(
                "table",
                { class: "bars" },
                element(
                    "thead",
                    {},
                    element(
                        "tr",
                        {},
                        ...["Table", "Written", "Read", ""].map((heading) => element("th", { scope: "col" }, heading)),
                    ),
                ),
                element(
                    "tbody",
                    {},
                    ...busiest.map(({ object, into, outOf }) =>
                        element(
                            "tr",
                            {},
                            element("td", {}, this.link(content.objectNode(object))),
                            element("td", { class: "count" }, number(into)),
                            element("td", { class: "count" }, number(outOf)),
                            element(
                                "td",
                                { class: "bar", "aria-hidden": "true" },
                                ...[
                                    ["into", into],
                                    ["outof", outOf],
                                ]
                                    .filter(([, count]) => count > 0)
                                    .map(([side, count]) => share(side, count)),
                            ),
                        ),
                    ),
                ),
            ),
            element(
                "p",
                { class: "hint" },
                "Counted in relationships along which values flow into the table or out of it.",
            ),
        );
    }

    /** The schemas, each with its tables. */
    groups() {
        const { content, stored } = this;
        const groups = groupBy(stored, (object) => content.group(object));
        const sorted = [...groups].sort(([a], [b]) => a.localeCompare(b));
        const items = sorted.map(([group, objects]) => {
            const list = element("ul", { class: "tables" });
            const fill = () => {
                if (list.childElementCount === 0) {
                    this.fill(list, objects);
                }
            };
            const details = element(
                "details",
                { ontoggle: fill },
                element(
                    "summary",
                    {},
                    group === "" ? "No schema" : name(group),
                    element("small", {}, ` ${counted(objects.length, "table")}`),
                ),
                list,
            );
            details.open = sorted.length === 1 || stored.length <= FEW_TABLES;
            return details;
        });
        return this.section("schemas", "Schemas", sorted.length, ...items);
    }

    fill(list, objects, from = 0) {
        const { content } = this;
        const sorted =
            from === 0
                ? [...objects].sort((a, b) => content.objectName(a).localeCompare(content.objectName(b)))
                : objects;
        for (const object of sorted.slice(from, from + ROWS_MORE)) {
            const count = content.columnCountOf(object);
            list.append(
                element(
                    "li",
                    {},
                    this.link(content.objectNode(object), content.objectName(object)),
                    element("small", {}, ` ${content.kindText(object)}, ${counted(count, "column")}`),
                ),
            );
        }
        if (from + ROWS_MORE < sorted.length) {
            const more = element("li", {});
            const show = () => {
                more.remove();
                this.fill(list, sorted, from + ROWS_MORE);
            };
            more.append(button(`Show more: ${number(sorted.length - from - ROWS_MORE)} left`, show, { class: "more" }));
            list.append(more);
        }
    }

    /** The changes of a comparison. */
    changes() {
        const { content, graph } = this;
        const changed = [];
        for (const object of this.objects) {
            const node = content.objectNode(object);
            if (content.change(node)) {
                changed.push({
                    change: content.change(node),
                    record: content.kindText(object),
                    nodes: [node],
                    text: changeText(content, node),
                });
            }
        }
        for (let column = 0; column < content.columnCount; column++) {
            const ofObject = content.change(content.objectNode(content.objectOf(column)));
            if (content.change(column) && content.change(column) !== ofObject) {
                changed.push({
                    change: content.change(column),
                    record: "column",
                    nodes: [column],
                    text: content.change(column),
                });
            }
        }
        const seen = new Set();
        for (let at = 0; at < graph.target.length; at++) {
            const change = content.changeOf(at);
            const nodes = [graph.sources[graph.first[at]], graph.target[at]];
            const key = nodes.join(":");
            if (change && !seen.has(key)) {
                seen.add(key);
                changed.push({ change, record: "flow", nodes, text: change });
            }
        }
        if (changed.length === 0) {
            return this.section(
                "changes",
                "Changes",
                0,
                element(
                    "p",
                    {},
                    "Nothing changed: both lineages have the same tables, views and columns, and the same flows.",
                ),
            );
        }
        return this.section(
            "changes",
            "Changes",
            changed.length,
            this.table(["Change", "Record", "Name"], changed, ({ change, record, nodes, text }) => [
                element("span", { class: `tag ${change}` }, text),
                record,
                nodes.length === 1
                    ? this.link(nodes[0])
                    : element("span", {}, this.link(nodes[0]), " → ", this.link(nodes[1])),
            ]),
        );
    }
}

function bar(side, percent) {
    const shape = element("span", { class: side });
    shape.style.width = `${percent}%`;
    return shape;
}
