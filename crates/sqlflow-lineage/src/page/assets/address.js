// The address of what is shown: `#column=SALES.REPORT.SUM&depth=2`, so that a link leads back to it.

import { SWITCHES } from "./graph.js";

/** Returns the address of a state. */
export function toAddress(content, search, state) {
    if (state.focus === null) {
        return "";
    }
    const parameters = new URLSearchParams();
    const add = (name, node) => {
        parameters.set(name ?? (content.isColumn(node) ? "column" : "table"), content.qualifiedName(node));
        const which = search.numberOf(node);
        if (which > 1) {
            parameters.set(`${name ?? ""}n`, which);
        }
    };
    add(null, state.focus);
    if (state.pathTo !== null) {
        add("to", state.pathTo);
    }
    if (state.ownDepth) {
        parameters.set("depth", Number.isFinite(state.depth) ? state.depth : "all");
    }
    if (state.direction !== "both") {
        parameters.set("direction", state.direction);
    }
    for (const { option, kind } of SWITCHES) {
        if (state.kinds.has(kind)) {
            parameters.set(option, "1");
        }
    }
    if (state.intermediates) {
        parameters.set("intermediates", "1");
    }
    return `#${parameters}`;
}

/** Returns the state of an address, or `null` for the overview. `missing` is a name that nothing has. */
export function fromAddress(search, address) {
    const parameters = new URLSearchParams(address.replace(/^#/u, ""));
    const wanted = parameters.get("column") ?? parameters.get("table");
    if (wanted === null) {
        return null;
    }
    const which = (name) => Number.parseInt(parameters.get(name) ?? "1", 10) || 1;
    const focus = search.byName(parameters.has("column"), wanted, which("n"));
    const to = parameters.get("to");
    const pathTo = to === null ? null : search.byName(true, to, which("ton"));
    const depth = parameters.get("depth");
    const steps = Number.parseInt(depth ?? "", 10);
    const direction = parameters.get("direction");
    return {
        focus,
        pathTo,
        missing: focus === null ? wanted : to !== null && pathTo === null ? to : null,
        ownDepth: depth !== null,
        depth: depth === "all" ? Number.POSITIVE_INFINITY : Math.max(1, steps || 1),
        direction: ["upstream", "downstream"].includes(direction) ? direction : "both",
        kinds: new Set(SWITCHES.filter(({ option }) => parameters.get(option) === "1").map(({ kind }) => kind)),
        intermediates: parameters.get("intermediates") === "1",
    };
}
