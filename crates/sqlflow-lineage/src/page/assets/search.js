// The search for tables and columns by parts of their names, and the field that completes what is typed.

import { counted, element, name, number } from "./dom.js";

const MATCHES_SHOWN = 40;

/** Finds columns and objects by name. */
export class Search {
    constructor(content) {
        this.content = content;
        this.names = [];
        for (let object = 0; object < content.objectCount; object++) {
            this.names.push(content.qualifiedName(content.objectNode(object)).toLowerCase());
        }
        this.columns = content.data.columns.name.map((text) => content.texts[text].toLowerCase());
    }

    /**
     * Returns the best matches, and how many there are. All words of the query must be in the name. Of names that match
     * equally well, tables come before columns; what is stored comes before results inside statements in any case.
     */
    find(query, limit = MATCHES_SHOWN) {
        const words = query.toLowerCase().split(/\s+/u).filter(Boolean);
        if (words.length === 0) {
            return { found: [], total: 0 };
        }
        const whole = words.join(" ");
        const scored = [];
        for (const [object, table] of this.names.entries()) {
            const missing = words.filter((word) => !table.includes(word));
            const penalty = this.content.role(object) * 16;
            const node = this.content.objectNode(object);
            if (missing.length === 0) {
                scored.push({
                    node,
                    score: score(table, this.content.objectName(object).toLowerCase(), whole) + penalty,
                });
            }
            for (const column of this.content.columnsOf(object)) {
                const own = this.columns[column];
                if (this.content.isRows[column]) {
                    continue;
                }
                const has = (word) => own.includes(word) || `${table}.${own}`.includes(word);
                // Not every column of a table whose name matches, but those that match more than the table does.
                if (missing.length > 0 ? missing.every(has) : own.includes(whole)) {
                    scored.push({ node: column, score: score(`${table}.${own}`, own, whole) + penalty + 0.5 });
                }
            }
        }
        scored.sort((a, b) => a.score - b.score || a.node - b.node);
        return { found: scored.slice(0, limit).map((match) => match.node), total: scored.length };
    }

    /** Returns the node of a qualified name: the one with this number among those that have the name. */
    byName(isColumn, wanted, which = 1) {
        let left = which;
        const [from, to] = isColumn
            ? [0, this.content.firstObject]
            : [this.content.firstObject, this.content.firstStatement];
        for (let node = from; node < to; node++) {
            if (this.content.qualifiedName(node) === wanted && --left === 0) {
                return node;
            }
        }
        return null;
    }

    /** Returns the number of a node among those that have its name, counted from 1. */
    numberOf(node) {
        const wanted = this.content.qualifiedName(node);
        const from = this.content.isColumn(node) ? 0 : this.content.firstObject;
        let which = 1;
        for (let other = from; other < node; other++) {
            which += this.content.qualifiedName(other) === wanted ? 1 : 0;
        }
        return which;
    }
}

/**
 * Returns how well a query matches a name, of which `own` is the last part; less is better. The whole name is best, then
 * its beginning, the beginning of a word in it, anything else in it, and then the same of what it belongs to.
 */
function score(text, own, query) {
    if (text === query || own === query || text.endsWith(`.${query}`)) {
        return text === query ? 0 : 1;
    }
    const length = Math.min(text.length, 200) / 1000;
    for (const [at, part] of [own, text].entries()) {
        if (part.startsWith(query)) {
            return 2 + 3 * at + length;
        }
        if (part.includes(query)) {
            return (hasWord(part, query) ? 3 : 4) + 3 * at + length;
        }
    }
    return 8 + length;
}

/** Returns `true` if a word of a text begins with a query. */
function hasWord(text, query) {
    for (let at = text.indexOf(query); at >= 0; at = text.indexOf(query, at + 1)) {
        if (at === 0 || !/[\p{L}\p{N}]/u.test(text[at - 1])) {
            return true;
        }
    }
    return false;
}

/** A search field with a list of matches, which the arrow keys go through. */
export class SearchField {
    constructor(content, search, input, list, pick) {
        Object.assign(this, { content, search, input, list, pick, found: [], active: -1 });
        input.addEventListener("input", () => this.complete());
        input.addEventListener("focus", () => this.complete());
        input.addEventListener("blur", () => this.close());
        input.addEventListener("keydown", (event) => this.onKey(event));
        // The field keeps the focus while a match is clicked.
        list.addEventListener("pointerdown", (event) => event.preventDefault());
    }

    complete() {
        const { found, total } = this.search.find(this.input.value);
        this.found = found;
        this.active = found.length > 0 ? 0 : -1;
        this.list.replaceChildren(...found.map((node, at) => this.option(node, at)));
        const isEmpty = this.input.value.trim() === "";
        if (total > found.length) {
            this.list.append(
                element(
                    "li",
                    { class: "more", role: "presentation" },
                    `${number(total - found.length)} more matches: keep typing`,
                ),
            );
        } else if (total === 0 && !isEmpty) {
            this.list.append(element("li", { class: "more", role: "presentation" }, "No table or column matches"));
        }
        this.list.hidden = isEmpty;
        this.input.setAttribute("aria-expanded", String(!isEmpty));
        this.mark();
        document.getElementById("search-status").textContent = isEmpty ? "" : counted(total, "match", "matches");
    }

    option(node, at) {
        const { content } = this;
        const object = content.objectOf(node);
        const kind = content.isColumn(node) ? "column" : content.kindText(object);
        const parent = content.isColumn(node)
            ? content.qualifiedName(content.objectNode(object))
            : content.group(object);
        const attributes = {
            role: "option",
            id: `match-${at}`,
            onclick: () => this.choose(at),
            onpointermove: () => {
                this.active = at;
                this.mark();
            },
        };
        return element(
            "li",
            attributes,
            element("span", { class: `tag ${content.isColumn(node) ? "column" : "table"}` }, kind),
            element("span", { class: "match" }, name(content.ownName(node)), element("small", {}, name(parent))),
        );
    }

    mark() {
        for (const [at, option] of [...this.list.querySelectorAll("[role=option]")].entries()) {
            option.setAttribute("aria-selected", String(at === this.active));
            if (at === this.active) {
                option.scrollIntoView({ block: "nearest" });
            }
        }
        if (this.active >= 0 && !this.list.hidden) {
            this.input.setAttribute("aria-activedescendant", `match-${this.active}`);
        } else {
            this.input.removeAttribute("aria-activedescendant");
        }
    }

    onKey(event) {
        const steps = { ArrowDown: 1, ArrowUp: -1 };
        if (event.key in steps && this.found.length > 0) {
            event.preventDefault();
            this.active = (this.active + steps[event.key] + this.found.length) % this.found.length;
            this.mark();
        } else if (event.key === "Enter" && this.active >= 0) {
            event.preventDefault();
            this.choose(this.active);
        } else if (event.key === "Escape") {
            event.preventDefault();
            this.input.value = "";
            this.close();
        }
    }

    choose(at) {
        const node = this.found[at];
        this.input.value = "";
        this.close();
        this.input.blur();
        this.pick(node);
    }

    close() {
        this.list.hidden = true;
        this.found = [];
        this.active = -1;
        this.input.setAttribute("aria-expanded", "false");
        this.input.removeAttribute("aria-activedescendant");
    }
}
