"""Runs the blocks of docs/tables.md on Parquet files, and reads the files with other libraries.

Reads a request as JSON from standard input, works in the current directory, and prints the answers as JSON.
"""

import contextlib
import json
import sys
from glob import glob

import duckdb
import pandas
import polars
import pyarrow.parquet


def blocks(guide, language):
    """Returns the fenced blocks of a language, by the heading that they stand under."""
    found, heading, block = {}, None, None
    for line in guide.splitlines():
        if block is not None:
            if line == "```":
                block = None
            else:
                block.append(line)
        elif line.startswith("```"):
            block = []
            if line == f"```{language}":
                assert heading not in found, f"two blocks under {heading}"
                found[heading] = block
        elif line.startswith("#"):
            heading = line.lstrip("# ")
    return {heading: "\n".join(block) for heading, block in found.items()}


def answers(connection, sql, question):
    """Returns the rows for each name that takes the place of the one in the block."""
    if question.get("replaces") is None:
        return [rows(connection.execute(sql))]
    literal = "'" + question["replaces"].replace("'", "''") + "'"
    assert literal in sql, f"{literal} is not in the block under {question['heading']}"
    sql = sql.replace(literal, "$name")
    return [rows(connection.execute(sql, {"name": name})) for name in question["names"]]


def rows(result):
    return [list(row) for row in result.fetchall()]


def reading(path):
    """Returns the rows of a file as each library reads them, and the physical types of its columns."""
    path = path.replace("\\", "/")
    frames = {
        "duckdb": duckdb.sql("select * from read_parquet($path, hive_partitioning = false)", params={"path": path}).to_arrow_table().to_pylist(),
        "pandas": json.loads(pandas.read_parquet(path, partitioning=None).to_json(orient="records")),
        "polars": polars.read_parquet(path, hive_partitioning=False).to_dicts(),
        "pyarrow": pyarrow.parquet.ParquetFile(path).read().to_pylist(),
    }
    schema = pyarrow.parquet.ParquetFile(path).schema
    leaves = [schema.column(at) for at in range(len(schema))]
    return {
        "path": path,
        "rows": frames,
        "leaves": [
            {
                "path": leaf.path,
                "physical": leaf.physical_type,
                "logical": leaf.logical_type.type,
                "repetitions": leaf.max_repetition_level,
            }
            for leaf in leaves
        ],
        "compressions": sorted({
            group.column(at).compression
            for group in (
                pyarrow.parquet.ParquetFile(path).metadata.row_group(at)
                for at in range(pyarrow.parquet.ParquetFile(path).metadata.num_row_groups)
            )
            for at in range(group.num_columns)
        }),
    }


def frame(guide, heading, name):
    """Runs the Python block under a heading, and returns what it leaves in a variable."""
    variables = {}
    # What the block prints would get between the answers.
    with contextlib.redirect_stdout(sys.stderr):
        exec(compile(blocks(guide, "python")[heading], heading, "exec"), variables)
    value = variables[name]
    return sorted(value) if isinstance(value, (set, list)) else value


def main():
    request = json.load(sys.stdin)
    with open(request["guide"], encoding="utf-8") as file:
        guide = file.read()
    sql = blocks(guide, "sql")
    connection = duckdb.connect()
    found = []
    for question in request["questions"]:
        heading = question["heading"]
        assert heading in sql, f"no block under {heading}: {sorted(sql)}"
        found.append(answers(connection, sql[heading], question))
    python = [frame(guide, it["heading"], it["variable"]) for it in request.get("python", [])]
    files = [reading(path) for path in sorted(glob("**/*.parquet", recursive=True))] if request.get("files") else []
    json.dump({"answers": found, "python": python, "files": files, "headings": sorted(sql)}, sys.stdout, default=str)


main()
