"""Runs the statements of standard input in DuckDB. Prints the rows of each result as one line of JSON."""

import json
import sys

import duckdb

connection = duckdb.connect()
for statement in connection.extract_statements(sys.stdin.read()):
    result = connection.execute(statement)
    if statement.type == duckdb.StatementType.SELECT:
        print(json.dumps(result.fetchall(), default=str))
