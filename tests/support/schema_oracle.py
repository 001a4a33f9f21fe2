"""Judges documents by a JSON Schema with python3-jsonschema.

Usage: schema_oracle.py SCHEMA DOCUMENTS     one JSON document a line; prints 1 (valid) or 0 a line.
Exit status 77 when the module is not installed. Text that RFC 8259 does not allow, or that has a
key twice in one object, is not valid either.
"""
import json
import sys

try:
    from jsonschema import Draft202012Validator
except ImportError:
    sys.exit(77)


def unique(pairs):
    keys = [key for key, _ in pairs]
    if len(keys) != len(set(keys)):
        raise ValueError("duplicate key")
    return dict(pairs)


def refuse(token):
    raise ValueError(token)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        schema = json.load(file)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    with open(sys.argv[2], encoding="utf-8") as file:
        for line in file:
            try:
                document = json.loads(line, object_pairs_hook=unique, parse_constant=refuse)
                print(int(validator.is_valid(document)))
            except ValueError:
                print(0)


main()
