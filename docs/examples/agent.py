"""An agent that mends a program, and the log of all that it did on the way. Run it with: python agent.py FOLDER

There is no model here. What speaks in its place is `StandIn`, a list of answers: so this runs without a network, and
the same each time. Everything else is real: the repository, the tests that fail and then pass, the log.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jsonl_audit import AuditEvent, AuditLog, Redactor, context, events, query

PROGRAM = "def total(prices):\n    return sum(prices[1:])\n"
CHECK = """\
from shop import total
for case in range(2000):
    print(f"case {case}: total of {case} prices")
    assert total([1] * case) == case, f"total of {case} prices is {total([1] * case)}"
"""
AUTHOR = ("-c", "user.name=mender", "-c", "user.email=mender@localhost")


class StandIn:
    """Stands where a model would: for each goal it knows a list of answers, which it gives one after another."""

    name = "stand-in-1"

    def __init__(self, answers: Mapping[str, list[dict[str, Any]]]) -> None:
        self._answers = {goal: iter(given) for goal, given in answers.items()}

    def complete(self, goal: str, prompt: str) -> tuple[dict[str, Any] | None, dict[str, int]]:
        """The next answer, None if it knows none, and what would be counted: its tokens are words."""
        answer = next(self._answers.get(goal, iter(())), None)
        return answer, {"tokens_in": len(prompt.split()), "tokens_out": len(json.dumps(answer).split())}


MENDING: list[dict[str, Any]] = [
    {"tool": "run_check"},
    {"tool": "read_file", "path": "shop.py"},
    {"tool": "read_file", "path": "settings.env"},
    {"tool": "read_file", "path": "shop_test.py"},
    {"tool": "fetch", "url": "https://paste.example/how-to-sum"},
    {"tool": "edit_file", "path": "shop.py", "old": "prices[1:]", "new": "prices"},
    {"tool": "run_check"},
    {"tool": "commit", "message": "shop: the first price counts, too"},
    {"tool": "push", "remote": "origin"},
    {"done": "The first price was left out. It counts now, and the check passes."},
]
TIDYING: list[dict[str, Any]] = [{"tool": "read_file", "path": "shop.py"}]
ANSWERS = {"make the check pass": MENDING, "rewrite it in COBOL": [], "tidy up": TIDYING}
POLICY = {"read_file": "allow", "run_check": "allow", "edit_file": "ask", "commit": "approve", "push": "approve"}
"""What may be done: at once, if the person at the keyboard agrees, if somebody else signs; what is not here, never."""


class Person:
    """Somebody who is asked, and who says what this story wants."""

    def agrees(self, tool: str) -> bool:
        """To a tool being used."""
        return tool == "edit_file"

    def signs(self, tool: str) -> bool:
        """That something leaves the workspace, or becomes part of its history."""
        return tool == "commit"

    def wants(self, goal: str, step: int) -> bool:
        """The task to go on."""
        return not (goal == "tidy up" and step > 1)


class Refused(Exception):  # noqa: N818 - nothing went wrong
    """What the agent may not do."""


class Agent:
    """The loop: ask the model, ask whether it may be done, do it, tell the model; and record each of these."""

    def __init__(self, log: AuditLog, folder: Path, model: StandIn, person: Person) -> None:
        self.log = log
        self.folder = folder
        self.model = model
        self.person = person
        self.redactor = Redactor()
        self.tools: dict[str, Callable[..., str]] = {
            "read_file": self.read_file,
            "edit_file": self.edit_file,
            "run_check": self.run_check,
            "commit": self.commit,
        }

    def tell(self, event: AuditEvent) -> str:
        """Records an event; the id that others name as their parent."""
        return self.log.append(event).id

    # -- a task

    def run(self, task: str, goal: str) -> bool:
        """Works on a goal until it is reached, the model knows nothing more, or nobody wants it any longer."""
        with context(task=task, correlation=f"run-{task}"):
            began, steps = time.monotonic(), 0
            created = self.tell(events.task_created(goal=goal, created_by="ann"))
            started = self.tell(events.task_started(goal=goal, parent=created))
            said, parent = goal, self.tell(events.task_start(taskId=task, input=goal, trustLevel="ask", parent=started))
            while True:
                steps += 1
                if not self.person.wants(goal, steps):
                    self.by_person(events.task_cancelled(reason="it is tidy enough", parent=started))
                    return False
                answer, parent = self.ask(goal, said, parent)
                duration = milliseconds(began)
                if answer is None or "done" in answer:
                    summary = answer["done"] if answer else "the model has no answer"
                    if answer:
                        self.tell(events.task_completed(summary=summary, steps=steps, duration=duration, parent=parent))
                    else:
                        self.tell(events.task_failed(error=summary, duration=duration, parent=parent))
                    self.tell(
                        events.task_complete(
                            taskId=task, steps=steps, duration=duration, summary=summary, success=bool(answer),
                            parent=started,
                        )
                    )  # fmt: skip
                    return bool(answer)
                said, parent = self.step(answer, parent)

    def ask(self, goal: str, said: str, parent: str) -> tuple[dict[str, Any] | None, str]:
        """The model's answer. Of what was said only hash and length are recorded; this agent keeps the text, too."""
        found: dict[str, int] = {}
        prompt = self.redactor.text(f"Goal: {goal}\n{said}", found)
        if found:
            count = sum(found.values())
            profile = self.redactor.name
            self.tell(events.redaction_applied(count=count, kinds=found, profile=profile, parent=parent))
        asked = self.tell(
            events.model_prompt(
                model_id=self.model.name, provider="none", prompt=prompt, tokens_in=len(prompt.split()),
                artifacts=[self.log.attach(prompt, name="prompt.txt")], parent=parent,
            )
        )  # fmt: skip
        began = time.monotonic()
        answer, tokens = self.model.complete(goal, prompt)
        answered = events.model_response(
            model_id=self.model.name, provider="none", response=json.dumps(answer), duration=milliseconds(began),
            finish_reason="stop", parent=asked, **tokens,
        )  # fmt: skip
        return answer, self.tell(answered)

    # -- a step

    def step(self, answer: dict[str, Any], parent: str) -> tuple[str, str]:
        """Uses a tool, if that is allowed. What the model is told of it, and the id of the record that says so."""
        tool, arguments = answer["tool"], {name: value for name, value in answer.items() if name != "tool"}
        call = self.tell(events.tool_call(tool=tool, arguments=arguments, outcome="unknown", parent=parent))
        with context(parent=call):  # of all that tells no other one
            began, error, output = time.monotonic(), None, ""
            try:
                self.must_be_allowed(tool, arguments)
                output = self.tools[tool](**arguments)
            except Refused as refusal:
                return f"{tool} was refused: {refusal}", call
            except (OSError, ValueError, subprocess.SubprocessError) as failure:
                error = str(failure)
                kind, stack = type(failure).__name__, traceback.format_exc(limit=-1)
                self.tell(events.error_raised(error=error, error_type=kind, operation=tool, stack=stack))
            said: dict[str, Any] = {"tool": tool, "success": error is None, "duration": milliseconds(began)}
            executed = self.tell(events.tool_execute(input=arguments, error=error, **said))
            if len(output) > 1000:
                said["artifacts"] = [self.log.attach(output, name=f"{tool}.txt")]
            else:
                said["output"] = output
            return error or output, self.tell(events.tool_result(**said, parent=executed))

    def must_be_allowed(self, tool: str, arguments: dict[str, Any]) -> None:
        """Asks the policy, and who must be asked besides. Raises Refused."""
        rule = POLICY.get(tool, "deny")
        decided = self.tell(events.policy_decision(policy="workspace", rule=tool, decision=rule, tool=tool))
        what = " ".join([tool, *map(str, arguments.values())])
        if rule == "deny":
            self.tell(events.action_blocked(action=what, policy="workspace", tool=tool, parent=decided))
            raise Refused("the policy forbids it")
        if rule == "ask":
            asked = self.tell(
                events.permission_request(
                    tool=tool, action=what, reason="the model wants it", risks=["changes a file"], reversible=True,
                    parent=decided,
                )
            )  # fmt: skip
            agreed = self.person.agrees(tool)
            decision = "allow_once" if agreed else "deny"
            self.by_person(events.permission_decision(tool=tool, decision=decision, parent=asked))
            if not agreed:
                raise Refused("the person does not want it")
        if rule == "approve":
            asked = self.tell(events.approval_requested(action=what, tool=tool, parent=decided))
            if not self.person.signs(tool):
                self.by_person(events.approval_denied(action=what, tool=tool, reason="not from here", parent=asked))
                raise Refused("nobody signs it")
            self.by_person(events.approval_granted(action=what, tool=tool, scope="once", parent=asked))

    def by_person(self, event: AuditEvent) -> str:
        """Records what not the agent but the person did."""
        with context(actor={"type": "user", "id": "ann", "profile": "work"}):
            return self.tell(event)

    # -- the tools

    def read_file(self, path: str) -> str:
        """What stands in a file of the workspace. Raises ValueError for one that is elsewhere."""
        found = (self.folder / path).resolve()
        if not found.is_relative_to(self.folder.resolve()):
            raise ValueError("this leads out of the workspace")
        return found.read_text("utf-8")

    def edit_file(self, path: str, old: str, new: str) -> str:
        """Replaces a text in a file."""
        before = self.read_file(path)
        after = before.replace(old, new)
        (self.folder / path).write_text(after, "utf-8")
        self.tell(
            events.file_modified(
                path=path, operation="modified", bytes=len(after.encode()), before_hash=events.hash_of(before),
                after_hash=events.hash_of(after), target={"type": "file", "id": path},
            )
        )  # fmt: skip
        return f"{path} is changed"

    def run_check(self) -> str:
        """Runs the program's check."""
        return self.command("python", "-B", "check.py")

    def commit(self, message: str) -> str:
        """Commits what was changed."""
        self.command("git", *AUTHOR, "commit", "-q", "-a", "-m", message)
        commit = self.command("git", "rev-parse", "HEAD").strip()
        self.tell(events.git_operation(operation="commit", repository="shop", commit=commit, outcome="success"))
        return f"committed as {commit[:12]}"

    def command(self, *argv: str) -> str:
        """Runs a command: a list of arguments, no shell, half a minute at most. What it said."""
        began = time.monotonic()
        ended = run(argv, self.folder)
        self.tell(
            events.command_run(
                command=list(argv), exit_code=ended.returncode, duration=milliseconds(began),
                stdout_bytes=len(ended.stdout), stderr_bytes=len(ended.stderr),
            )
        )  # fmt: skip
        return ended.stdout + ended.stderr


def run(argv: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """A command in a folder, away from whatever is set up for the person who runs this."""
    program = sys.executable if argv[0] == "python" else argv[0]
    environment = {
        "PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder), "LC_ALL": "C", "GIT_CONFIG_NOSYSTEM": "1",
    }  # fmt: skip
    return subprocess.run(
        [program, *argv[1:]], cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=30, check=False,
    )  # fmt: skip


def milliseconds(began: float) -> float:
    """Since then."""
    return round((time.monotonic() - began) * 1000, 1)


def prepare(folder: Path) -> None:
    """A repository with a program that is wrong, a check that says so, and a secret that a model should not see."""
    folder.mkdir(parents=True)
    (folder / "shop.py").write_text(PROGRAM)
    (folder / "check.py").write_text(CHECK)
    (folder / "settings.env").write_text("SHOP_" + "PASSWORD=" + "correct-horse-battery\n")
    for argv in (["init", "-q"], ["add", "."], [*AUTHOR, "commit", "-q", "-m", "shop"]):
        run(["git", *argv], folder).check_returncode()


def export(log: AuditLog, task: str, path: Path) -> AuditEvent:
    """Writes the records of a task to a file."""
    records = list(query(log.path, task=task))
    text = "".join(json.dumps(record) + "\n" for record in records)
    path.write_text(text, "utf-8")
    return events.export_completed(
        records=len(records), path=path.name, format="jsonl", bytes=len(text.encode()), filters={"task": task},
        first_seq=records[0]["seq"], last_seq=records[-1]["seq"], checksum=events.hash_of(text),
    )  # fmt: skip


def main(folder: Path) -> Path:
    """The whole story, in an empty folder. Where its log is."""
    prepare(folder / "shop")
    actor = {"type": "agent", "id": "mender", "user": "ann", "profile": "work"}
    log_path = folder / "log" / "audit.jsonl"
    with AuditLog(log_path, validate="strict") as log, context(actor=actor, session="s-1", task="none"):
        agent = Agent(log, folder / "shop", StandIn(ANSWERS), Person())
        began = agent.tell(events.system_start(component="agent", version="1.0", port=0))
        session = agent.tell(events.session_started(mode="scripted", version="1.0", parent=began))
        agent.by_person(events.config_changed(setting="trust_level", old="nothing", new="ask", parent=session))
        for number, goal in enumerate(ANSWERS, 1):
            agent.run(f"t-{number}", goal)
        note = {"note": "three tasks, one of them done"}
        agent.tell(events.custom(details=note, tags=["nightly"], outcome="success", parent=session))
        agent.tell(export(log, "t-1", folder / "t-1.jsonl"))
        copy(agent, folder / "elsewhere")
        (folder / "elsewhere").mkdir()
        copy(agent, folder / "elsewhere")
        agent.tell(events.session_ended(tasks=len(ANSWERS), parent=session))
    return log_path


def copy(agent: Agent, destination: Path) -> None:
    """Brings the export to another place, which may not be there."""
    try:
        text = (destination.parent / "t-1.jsonl").read_text("utf-8")
        (destination / "t-1.jsonl").write_text(text, "utf-8")
    except OSError as error:
        agent.tell(events.system_error(component="copy", error=str(error.strerror), context={"to": destination.name}))
    else:
        agent.tell(events.sync_completed(destination=destination.name, records=text.count("\n")))


if __name__ == "__main__":
    print(main(Path(sys.argv[1])))
