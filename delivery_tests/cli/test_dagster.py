"""What is asked of Dagster's webserver fits the schema of the Dagster that is installed."""

from __future__ import annotations

import pytest
from dagster_graphql.schema import create_schema
from graphql import GraphQLSchema, parse, validate

from delivery.cli import dagster


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    """The webserver's own."""
    made: GraphQLSchema = create_schema().graphql_schema
    return made


@pytest.mark.parametrize("query", [dagster._WHERE, dagster._LAUNCH, dagster._LOGS])
def test_a_query_fits_the_schema(schema: GraphQLSchema, query: str) -> None:
    """Every field and argument is there: an upgrade of Dagster that takes one away is noticed here."""
    assert validate(schema, parse(query)) == []
