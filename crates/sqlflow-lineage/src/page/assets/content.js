// The data of the page: records by number. Nodes are numbered through: columns, then objects, then statements.

import { counted } from "./dom.js";

/** Returns a map of the items with each key, in the order in which they come. */
export function groupBy(items, keyOf) {
    const groups = new Map();
    for (const item of items) {
        const key = keyOf(item);
        const group = groups.get(key);
        if (group) {
            group.push(item);
        } else {
            groups.set(key, [item]);
        }
    }
    return groups;
}

const VERSION = 1;

export const ROLE_STORED = 0;
export const ROLE_RESULT_SET = 1;
export const ROLE_HIDDEN = 2;

export const CHANGES = ["", "added", "removed", "kind"];

/** Reads the data that the page holds. */
export function readContent() {
    const data = JSON.parse(document.getElementById("lineage").textContent);
    if (data.version !== VERSION) {
        throw new Error(`this page holds data of version ${data.version}, and its scripts read version ${VERSION}`);
    }
    return new Content(data);
}

export class Content {
    constructor(data) {
        this.data = data;
        this.texts = data.texts;
        this.columnCount = data.columns.name.length;
        this.objectCount = data.objects.name.length;
        this.statementCount = data.statements.name.length;
        this.firstObject = this.columnCount;
        this.firstStatement = this.columnCount + this.objectCount;
        this.nodeCount = this.firstStatement + this.statementCount;
        this.objectOfColumn = new Uint32Array(this.columnCount);
        for (let object = 0; object < this.objectCount; object++) {
            this.objectOfColumn.fill(object, data.objects.columns[object], data.objects.columns[object + 1]);
        }
        this.isRows = new Uint8Array(this.columnCount);
        this.rowsOf = new Map();
        for (const column of data.columns.recordSets) {
            this.isRows[column] = 1;
            const object = this.objectOfColumn[column];
            this.rowsOf.set(object, [...(this.rowsOf.get(object) ?? []), column]);
        }
    }

    /** Returns the object of a node, or -1 for a statement. */
    objectOf(node) {
        if (node < this.firstObject) {
            return this.objectOfColumn[node];
        }
        return node < this.firstStatement ? node - this.firstObject : -1;
    }

    objectNode(object) {
        return this.firstObject + object;
    }

    isColumn(node) {
        return node < this.firstObject;
    }

    /** Returns the columns of an object. */
    columnsOf(object) {
        const { columns } = this.data.objects;
        const count = columns[object + 1] - columns[object];
        return Array.from({ length: count }, (_, at) => columns[object] + at);
    }

    columnCountOf(object) {
        return this.data.objects.columns[object + 1] - this.data.objects.columns[object];
    }

    objectName(object) {
        return this.texts[this.data.objects.name[object]];
    }

    /** Returns the server, database and schema of an object as one text, which can be empty. */
    group(object) {
        return this.texts[this.data.objects.group[object]];
    }

    kind(object) {
        return this.texts[this.data.objects.kind[object]] || "object";
    }

    kindText(object) {
        return this.kind(object).replaceAll("_", " ");
    }

    role(object) {
        return this.data.objects.role[object];
    }

    /** Returns a number of objects in words: tables, unless there are results inside statements among them. */
    counted(objects) {
        const all = [...objects];
        const areStored = all.every((object) => this.role(object) === ROLE_STORED);
        return counted(all.length, areStored ? "table" : "object");
    }

    /** Returns the kind of change of a column or an object in a comparison, which is empty for none. */
    change(node) {
        const changes = this.isColumn(node) ? this.data.columns.change : this.data.objects.change;
        return CHANGES[changes?.[this.isColumn(node) ? node : node - this.firstObject] ?? 0];
    }

    oldKind(object) {
        return this.texts[this.data.objects.oldKind?.[object] ?? 0];
    }

    /** Returns the name of a column or object without what it belongs to. */
    ownName(node) {
        if (this.isColumn(node)) {
            return this.isRows[node] ? "(rows)" : this.texts[this.data.columns.name[node]];
        }
        return this.objectName(this.objectOf(node));
    }

    /** Returns the name of a node with everything that it belongs to. */
    qualifiedName(node) {
        if (node >= this.firstStatement) {
            return this.statementName(node - this.firstStatement);
        }
        const object = this.objectOf(node);
        const own = this.objectName(object);
        const group = this.group(object);
        const table = group ? `${group}.${own}` : own;
        return this.isColumn(node) ? `${table}.${this.texts[this.data.columns.name[node]]}` : table;
    }

    statementName(statement) {
        return this.texts[this.data.statements.name[statement]];
    }

    statementPlace(statement) {
        return this.texts[this.data.statements.place[statement]];
    }

    /** Returns the kind of change of a relationship in a comparison, which is empty for none. */
    changeOf(relationship) {
        const { labels, relationships } = this.data;
        return CHANGES[labels.change?.[relationships.label[relationship]] ?? 0];
    }

    /** Returns the number of the statement of a relationship, or -1. */
    statementOf(relationship) {
        return this.data.labels.statement[this.data.relationships.label[relationship]];
    }

    /** Returns the other attributes of a relationship as texts. */
    label(relationship) {
        const { labels, relationships } = this.data;
        const at = relationships.label[relationship];
        return {
            relation: this.texts[labels.relation[at]],
            effect: this.texts[labels.effect[at]].replaceAll("_", " "),
            function: this.texts[labels.function[at]],
            line: labels.line[at],
        };
    }

    clause(sourceAt) {
        return this.texts[this.data.relationships.clauses?.[sourceAt] ?? 0];
    }
}
