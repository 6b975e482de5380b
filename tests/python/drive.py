"""Drives megaraptor with the official Python SDK of MCP, over stdio or HTTP.

Prints one JSON object a line: {"case": name, "error": text or null, "skipped": reason or null}.
What the SDK itself checks (schemas of structured content, shapes of messages) is checked by using
it. A case about something that the server does not say it can do is skipped.

    drive.py REVISION CLIENT_ID ENDLESS_QUERY PROGRAM ARGUMENT... -- ARGUMENT...
    drive.py REVISION CLIENT_ID ENDLESS_QUERY http URL -- URL

The second arguments start the program with more rights, for the query that nothing ends. Over HTTP
two servers are there already, and TOKEN_READING and TOKEN_CHANGING in the environment open them.
"""

import contextlib
import json
import os
import sys
import traceback

import anyio
import httpx2
import mcp.client.session
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import PromptReference, ResourceTemplateReference

REVISION, CLIENT_ID, ENDLESS, PROGRAM, *REST = sys.argv[1:]
READING, CHANGING = REST[: REST.index("--")], REST[REST.index("--") + 1 :]
MODERN = "2026-07-28"


class NotOffered(Exception):
    """The server does not announce the capability that the case is about."""


def offered(capability, name):
    if capability is None:
        raise NotOffered(f"the server does not announce {name}")


def expect(condition, *seen):
    if not condition:
        raise AssertionError(f"not as expected: {seen}"[:2000])


@contextlib.asynccontextmanager
async def connect(arguments):
    # The stateless revision is found by asking the server what it speaks.
    mode = "auto" if REVISION == MODERN else "legacy"
    if PROGRAM != "http":
        server = StdioServerParameters(command=PROGRAM, args=arguments)
        async with Client(server, mode=mode, read_timeout_seconds=60) as client:
            yield client
        return
    token = os.environ["TOKEN_READING" if arguments is READING else "TOKEN_CHANGING"]
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        server = streamable_http_client(arguments[0], http_client=http)
        async with Client(server, mode=mode, read_timeout_seconds=60) as client:
            yield client


async def lists_tools(client):
    tools = (await client.list_tools()).tools
    names = [tool.name for tool in tools]
    expect(len(names) == len(set(names)) and "list_clients" in names and "run_vql" in names, names)
    for tool in tools:
        expect(tool.description and len(tool.description) <= 1024, tool.name, tool.description)
        expect(tool.input_schema["type"] == "object", tool.name, tool.input_schema)
        expect(tool.output_schema["type"] == "object", tool.name, tool.output_schema)
        # The emergency stop is there whatever else may be done.
        reads = tool.annotations.read_only_hint or tool.name == "emergency_stop"
        expect(reads, tool.name, "changes are not allowed here")


async def calls_tools(client):
    result = await client.call_tool("list_clients", {})
    expect(not result.is_error and CLIENT_ID in json.dumps(result.structured_content), result)
    result = await client.call_tool("run_vql", {"query": "SELECT 1 + 1 AS Sum FROM scope()"})
    expect(result.structured_content["rows"] == [{"Sum": 2}], result)
    expect(result.content[0].type == "text" and "Sum" in result.content[0].text, result.content)


async def reads_errors(client):
    result = await client.call_tool("run_vql", {"query": "SELCT 1"})
    expect(result.is_error and "1:1" in result.content[0].text, result)
    result = await client.call_tool("get_client_info", {"client": "C.0000000000000000"})
    expect(result.is_error, result)
    result = await client.call_tool("list_clients", {"limit": "many"})
    expect(result.is_error, result)


async def reads_resources(client):
    offered(client.server_capabilities.resources, "resources")
    resources = (await client.list_resources()).resources
    templates = (await client.list_resource_templates()).resource_templates
    expect(len(resources) > 0 and len(templates) > 0, resources, templates)
    for resource in resources:
        contents = (await client.read_resource(resource.uri)).contents
        expect(contents and contents[0].text, resource.uri, contents)


async def gets_prompts(client):
    offered(client.server_capabilities.prompts, "prompts")
    prompts = (await client.list_prompts()).prompts
    expect(len(prompts) >= 5, [prompt.name for prompt in prompts])
    for prompt in prompts:
        given = {argument.name: CLIENT_ID for argument in prompt.arguments or [] if "client" in argument.name}
        if all(argument.name in given for argument in prompt.arguments or [] if argument.required):
            messages = (await client.get_prompt(prompt.name, given)).messages
            expect(messages and messages[0].content.text, prompt.name, messages)


async def completes(client):
    offered(client.server_capabilities.completions, "completions")
    found = []
    for prompt in (await client.list_prompts()).prompts:
        for argument in prompt.arguments or []:
            ref = PromptReference(type="ref/prompt", name=prompt.name)
            answer = await client.complete(ref, {"name": argument.name, "value": ""})
            found += answer.completion.values
    for template in (await client.list_resource_templates()).resource_templates:
        ref = ResourceTemplateReference(type="ref/resource", uri=template.uri_template)
        name = template.uri_template.split("{")[-1].split("}")[0]
        answer = await client.complete(ref, {"name": name, "value": ""})
        found += answer.completion.values
    expect(found, "no completion gave a value")


async def cancels(_):
    async with connect(CHANGING) as client:
        with anyio.move_on_after(3) as scope:
            await client.call_tool("run_vql", {"query": ENDLESS, "timeout": 60})
        expect(scope.cancelled_caught, "the endless query ended by itself")
        result = await client.call_tool("run_vql", {"query": "SELECT 1 AS One FROM scope()"})
        expect(result.structured_content["rows"] == [{"One": 1}], result)


async def calls_at_once(client):
    numbers = {}

    async def call(number):
        vql = f"SELECT {number} AS Number FROM scope()"
        result = await client.call_tool("run_vql", {"query": vql})
        numbers[number] = result.structured_content["rows"][0]["Number"]

    async with anyio.create_task_group() as tasks:
        for number in range(32):
            tasks.start_soon(call, number)
    expect(numbers == {number: number for number in range(32)}, numbers)


CASES = [
    lists_tools,
    calls_tools,
    reads_errors,
    reads_resources,
    gets_prompts,
    completes,
    cancels,
    calls_at_once,
]


def report(name, error=None, skipped=None):
    way = "http" if PROGRAM == "http" else "stdio"
    verdict = {"case": f"{REVISION}, {way}: {name}", "error": error, "skipped": skipped}
    print(json.dumps(verdict), flush=True)


async def main():
    # The SDK offers its newest handshake revision only; the older ones are offered by telling it
    # that this is its newest.
    if REVISION != MODERN:
        mcp.client.session.LATEST_HANDSHAKE_VERSION = REVISION
    async with connect(READING) as client:
        wrong = client.protocol_version != REVISION
        report("connects", f"negotiated {client.protocol_version}" if wrong else None)
        for case in CASES:
            try:
                await case(client)
            except NotOffered as reason:
                report(case.__name__, skipped=str(reason))
            except BaseExceptionGroup as group:
                report(case.__name__, "".join(traceback.format_exception(group))[-2000:])
            except Exception as error:
                report(case.__name__, f"{type(error).__name__}: {error}"[:2000])
            else:
                report(case.__name__)
    report("disconnects")


anyio.run(main)
