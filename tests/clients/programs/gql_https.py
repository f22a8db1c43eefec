"""gql, a client of GraphQL, https: an operation with a variable, and two in a batch."""

import json

from gql import Client, GraphQLRequest, gql
from gql.transport.exceptions import TransportError
from gql.transport.requests import RequestsHTTPTransport

client = Client(transport=RequestsHTTPTransport(url="https://graph.example/graphql", timeout=60))
PAY = "mutation Pay($n: Int!) { pay(amount: $n) }"


def paid(amount: int) -> str:
    try:
        return f"paid {client.execute(gql(PAY), variable_values={'n': amount})['pay']}"
    except TransportError as fault:
        return str(fault)


def together(*amounts: int) -> str:
    requests = [GraphQLRequest(gql("mutation { log }"))]
    requests += [GraphQLRequest(gql(PAY), variable_values={"n": amount}) for amount in amounts]
    try:
        return json.dumps(client.execute_batch(requests))
    except TransportError as fault:
        return str(fault)


first, denied, again = paid(4200), paid(50_000), paid(4200)
told = {"allowed": first, "denied": denied, "again": again}
print(json.dumps({**told, "batch": together(4200), "denied_batch": together(50_000), "twice": together(1, 2)}))
