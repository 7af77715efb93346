"""Drives the emulator at the URL given as argument with the official `anthropic` SDK, end to end."""

import io
import sys
import zipfile
from contextlib import contextmanager

import anthropic

URL = sys.argv[1]
client = anthropic.Anthropic(api_key="sdk-key", base_url=URL, max_retries=0, timeout=20)
beta = client.beta
TOOLSET = {"type": "agent_toolset_20260401"}


@contextmanager
def raises(kind, status):
    try:
        yield
    except kind as error:
        assert error.status_code == status, error
        assert error.request_id.startswith("req_"), error
        assert error.body["type"] == "error", error.body
    else:
        raise AssertionError(f"{kind.__name__} was not raised")


def message(text):
    return {"type": "user.message", "content": [{"type": "text", "text": text}]}


def errors():
    with raises(anthropic.AuthenticationError, 401):
        anthropic.Anthropic(api_key="wrong", base_url=URL, max_retries=0).beta.agents.list()
    with raises(anthropic.NotFoundError, 404):
        beta.agents.retrieve("agent_none")
    with raises(anthropic.BadRequestError, 400):
        beta.agents.create(name="", model="claude-opus-5")


def agents():
    agent = beta.agents.create(
        name="support",
        model="claude-opus-5",
        system="one",
        description="d",
        tools=[TOOLSET, {"type": "mcp_toolset", "mcp_server_name": "orders"}],
        mcp_servers=[{"type": "url", "name": "orders", "url": "https://mcp.example.com/orders"}],
        metadata={"team": "a", "gone": "b"},
    )
    assert agent.version == 1 and agent.model.id == "claude-opus-5"
    assert agent.tools[0].default_config.permission_policy.type == "always_allow"
    assert agent.tools[1].default_config.permission_policy.type == "always_ask"
    assert agent.execution_identity.type == "service_account"
    same = beta.agents.update(agent.id, version=1, system="one")
    assert same.version == 1
    changed = beta.agents.update(agent.id, version=1, system="two", metadata={"gone": None})
    assert changed.version == 2 and changed.metadata == {"team": "a"}
    with raises(anthropic.ConflictError, 409):
        beta.agents.update(agent.id, version=1, system="three")
    assert beta.agents.retrieve(agent.id, version=1).system == "one"
    assert [old.version for old in beta.agents.versions.list(agent.id)] == [2, 1]
    cleared = beta.agents.update(agent.id, tools=[], mcp_servers=[], system=None)
    assert cleared.tools == [] and cleared.system is None

    names = [f"page {index}" for index in range(7)]
    for name in names:
        beta.agents.create(name=name, model="claude-opus-5")
    listed = [found.name for found in beta.agents.list(limit=3)]
    assert listed == [*reversed(names), "support"], listed
    archived = beta.agents.archive(agent.id)
    assert archived.archived_at is not None
    assert agent.id not in [found.id for found in beta.agents.list()]
    assert agent.id in [found.id for found in beta.agents.list(include_archived=True)]


def environments():
    environment = beta.environments.create(
        name="limited",
        config={"type": "cloud", "networking": {"type": "limited", "allowed_hosts": ["a.test"]}},
    )
    assert environment.config.networking.allow_mcp_servers is False
    assert environment.config.packages.pip == []
    beta.environments.update(environment.id, description="d")
    assert beta.environments.retrieve(environment.id).description == "d"
    assert [found.id for found in beta.environments.list()] == [environment.id]
    beta.environments.archive(environment.id)
    with raises(anthropic.BadRequestError, 400):
        beta.environments.update(environment.id, name="x")
    assert beta.environments.delete(environment.id).type == "environment_deleted"


def vaults():
    vault = beta.vaults.create(display_name="v", metadata={"a": "1"})
    assert beta.vaults.update(vault.id, display_name="w").display_name == "w"
    bearer = {"type": "static_bearer", "mcp_server_url": "https://mcp.example.com/a", "token": "hush"}
    credential = beta.vaults.credentials.create(vault_id=vault.id, auth=bearer, display_name="c")
    assert credential.auth.type == "static_bearer" and "hush" not in credential.to_json()
    with raises(anthropic.ConflictError, 409):
        beta.vaults.credentials.create(vault_id=vault.id, auth=bearer)
    rotated = beta.vaults.credentials.update(
        credential.id, vault_id=vault.id, auth={"type": "static_bearer", "token": "hush2"}
    )
    assert "hush" not in rotated.to_json() and rotated.updated_at > credential.updated_at
    oauth = beta.vaults.credentials.create(
        vault_id=vault.id,
        auth={
            "type": "mcp_oauth",
            "mcp_server_url": "http://127.0.0.1:9/mcp",
            "access_token": "hush",
            "refresh": {
                "token_endpoint": "https://a.test/t",
                "client_id": "c",
                "refresh_token": "hush",
                "token_endpoint_auth": {"type": "client_secret_basic", "client_secret": "hush"},
            },
        },
    )
    assert oauth.auth.refresh.token_endpoint_auth.type == "client_secret_basic" and "hush" not in oauth.to_json()
    validation = beta.vaults.credentials.mcp_oauth_validate(oauth.id, vault_id=vault.id)
    assert validation.status == "unknown" and validation.has_refresh_token
    beta.vaults.credentials.archive(credential.id, vault_id=vault.id)
    assert [found.id for found in beta.vaults.credentials.list(vault.id)] == [oauth.id]
    assert beta.vaults.credentials.delete(oauth.id, vault_id=vault.id).type == "vault_credential_deleted"
    assert beta.vaults.archive(vault.id).archived_at is not None
    assert [found.id for found in beta.vaults.list(include_archived=True)] == [vault.id]
    assert beta.vaults.delete(vault.id).type == "vault_deleted"


def skill_files():
    text = b"---\nname: refund-policy\ndescription: How to handle refunds.\n---\n# Refunds\n"
    return [
        ("refund-policy/SKILL.md", text, "text/markdown"),
        ("refund-policy/scripts/refund.py", b"print(1)\n", "text/x-python"),
    ]


def skills():
    skill = client.skills.create(files=skill_files())
    assert skill.source.type == "custom" and skill.latest_version_id.startswith("skver_")
    second = client.skills.versions.create(skill.id, files=skill_files())
    assert second.name == "refund-policy" and second.skill_id == skill.id
    assert [version.id for version in client.skills.versions.list(skill.id)] == [second.id, skill.latest_version_id]
    packed = client.beta.skills.versions.download(second.id, skill_id=skill.id)
    names = sorted(zipfile.ZipFile(io.BytesIO(packed.read())).namelist())
    assert names == ["refund-policy/SKILL.md", "refund-policy/scripts/refund.py"], names
    agent = beta.agents.create(
        name="skilled",
        model="claude-opus-5",
        tools=[TOOLSET],
        skills=[{"type": "custom", "skill_id": skill.id, "version": skill.latest_version_id}],
    )
    assert agent.skills[0].version == skill.latest_version_id
    client.skills.versions.delete(skill.latest_version_id, skill_id=skill.id)
    with raises(anthropic.BadRequestError, 400):
        client.skills.versions.delete(second.id, skill_id=skill.id)
    assert [found.id for found in client.skills.list(source="custom")] == [skill.id]
    assert client.skills.delete(skill.id).type == "skill_deleted"
    file = client.files.upload(file=("data.csv", b"a,b\n", "text/csv"))
    assert file.size_bytes == 4 and [found.id for found in client.files.list()] == [file.id]
    assert client.files.delete(file.id).type == "file_deleted"


def until_idle(stream):
    seen = []
    for event in stream:
        seen.append(event)
        if event.type == "session.status_idle":
            return seen
    raise AssertionError("the stream ended")


def sessions():
    ask = {"enabled": True, "permission_policy": {"type": "always_ask"}}
    agent = beta.agents.create(name="worker", model="claude-opus-5", tools=[{**TOOLSET, "default_config": ask}])
    environment = beta.environments.create(name="e")
    vault = beta.vaults.create(display_name="v")
    session = beta.sessions.create(
        agent={"type": "agent", "id": agent.id, "version": 1},
        environment_id=environment.id,
        vault_ids=[vault.id],
        title="t",
        metadata={"a": "1"},
    )
    assert session.status == "idle" and session.vault_ids == [vault.id] and session.agent.id == agent.id
    assert session.outcome_evaluations == [] and session.resources == []
    assert beta.sessions.update(session.id, title=None).title is None

    with beta.sessions.events.stream(session.id) as stream:
        sent = beta.sessions.events.send(session.id, events=[message("use bash echo hi")])
        assert sent.data[0].processed_at is None
        seen = until_idle(stream)
        reason = seen[-1].stop_reason
        assert reason.type == "requires_action" and len(reason.event_ids) == 1
        used = next(event for event in seen if event.type == "agent.tool_use")
        assert used.id == reason.event_ids[0] and used.evaluated_permission == "ask"
        confirmation = {"type": "user.tool_confirmation", "tool_use_id": used.id, "result": "allow"}
        beta.sessions.events.send(session.id, events=[confirmation])
        seen = until_idle(stream)
        kinds = [event.type for event in seen]
        assert kinds[-3:] == ["session.thread_status_idle", "session.usage", "session.status_idle"], kinds
        assert seen[-1].stop_reason.type == "end_turn"
        said = next(event for event in seen if event.type == "agent.message")
        assert said.content[0].text == "Answer: use bash echo hi\nbash: hi", said
        beta.sessions.events.send(session.id, events=[message("wait 60000")])
        beta.sessions.events.send(session.id, events=[{"type": "user.interrupt"}])
        assert until_idle(stream)[-1].stop_reason.type == "end_turn"

    everything = list(beta.sessions.events.list(session.id, limit=4))
    ids = [event.id for event in everything]
    assert len(ids) == len(set(ids)) > 20
    assert everything == list(beta.sessions.events.list(session.id))
    messages = list(beta.sessions.events.list(session.id, types=["agent.message"], order="desc"))
    assert [event.type for event in messages] == ["agent.message"]
    assert beta.sessions.retrieve(session.id).usage.output_tokens > 0
    thread = next(iter(beta.sessions.threads.list(session.id)))
    assert thread.parent_thread_id is None and thread.status == "idle"

    for _ in range(4):
        beta.sessions.create(agent=agent.id, environment_id=environment.id)
    found = list(beta.sessions.list(agent_id=agent.id, statuses=["idle"], limit=2))
    assert len(found) == 5 and found[-1].id == session.id
    assert beta.sessions.archive(session.id).status == "terminated"
    with raises(anthropic.ConflictError, 409):
        beta.sessions.events.send(session.id, events=[message("too late")])
    assert beta.sessions.delete(session.id).type == "session_deleted"
    with raises(anthropic.NotFoundError, 404):
        beta.sessions.retrieve(session.id)


for part in (errors, agents, environments, vaults, skills, sessions):
    part()
    print(part.__name__, flush=True)
print("all of it works")
