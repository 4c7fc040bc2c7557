/** The numbering plan: its text with what is wrong in place, why a call goes where it goes, and what came before. */
import { useEffect, useRef, useState } from "react";

import { Button } from "../../components/Button";
import { Confirm } from "../../components/Dialog";
import { useUnsaved } from "../../components/Form";
import { notify } from "../../components/Notices";
import { Page } from "../../components/Page";
import { Show } from "../../components/Show";
import { Badge } from "../../components/State";
import { Tabs } from "../../components/Tabs";
import { plan } from "../../language/plan";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { useResource } from "../../server/resource";
import { useSession } from "../../server/session";
import { useQuery } from "../../shell/place";
import { useShortcut } from "../../shell/shortcuts";
import { ApplyDialog } from "./ApplyDialog";
import { useChecking } from "./checking";
import { type Draft, keepDraft, keptDraft } from "./draft";
import { Explain } from "./Explain";
import { Findings } from "./Findings";
import { History } from "./History";
import "./plan.css";
import type { Applied, Comparison, PlanShown } from "./shapes";
import { TextEditor, type TextEditorHandle } from "./TextEditor";

export default function Plan() {
  const words = useTexts(plan);
  const session = useSession();
  const shown = useResource<PlanShown>("/plan");
  const mayChange = session.rights.includes("plan.change");
  const [tab, setTab] = useState("text");
  return (
    <Page title={words.title} lead={words.lead}>
      <Show resource={shown}>
        {(data) => (
          <Tabs
            label={words.title}
            selected={tab}
            onSelect={setTab}
            tabs={[
              {
                key: "text",
                title: words.tab_text,
                content: <Desk shown={data} mayChange={mayChange} onApplied={shown.reload} />,
              },
              {
                key: "history",
                title: words.tab_history,
                content: <History shown={data} mayChange={mayChange} onApplied={shown.reload} />,
              },
            ]}
          />
        )}
      </Show>
    </Page>
  );
}

/** The text and what is said of it. */
function Desk({
  shown,
  mayChange,
  onApplied,
}: {
  readonly shown: PlanShown;
  readonly mayChange: boolean;
  readonly onApplied: () => void;
}) {
  const words = useTexts(plan);
  const { account } = useSession();
  const editor = useRef<TextEditorHandle>(null);
  const [draft, setDraft] = useState<Draft | undefined>(() => (mayChange ? keptDraft(account) : undefined));
  const [open, setOpen] = useState<"apply" | "discard">();
  const text = draft?.text ?? shown.text;
  const isEdited = draft !== undefined && draft.text !== shown.text;
  const isOvertaken = isEdited && draft.base !== shown.version;
  const checking = useChecking(text);
  useUnsaved(isEdited);
  const wanted = Number(useQuery().get("line") ?? "");
  useEffect(() => {
    if (wanted > 0) editor.current?.jump(wanted, 1);
  }, [wanted]);
  useShortcut("F8", words.next_finding, () => editor.current?.step(1));

  const write = (next: Draft | undefined) => {
    setDraft(next);
    keepDraft(account, next);
  };
  const edit = (next: string) =>
    write(next === shown.text ? undefined : { base: draft?.base ?? shown.version, text: next });
  const jump = (line: number, column: number) => editor.current?.jump(line, column);
  const line = Number(useQuery().get("line")); // where a page that explains a call leads
  useEffect(() => {
    if (Number.isInteger(line) && line > 0) editor.current?.jump(line, 1);
  }, [line]);
  const done = () => {
    setOpen(undefined);
    write(undefined);
    onApplied();
  };
  if (shown.text === "" && shown.version !== "" && !shown.masked) return <p>{words.not_kept}</p>;
  return (
    <>
      <Standing shown={shown} isEdited={isEdited} mayChange={mayChange} />
      {isOvertaken && (
        <div className="warning-box" role="alert">
          <p>
            <strong>
              {words.overtaken(shown.author === "" ? words.overtaken_unknown : shown.author, shown.version)}
            </strong>{" "}
            {words.overtaken_what}
          </p>
          <div className="actions">
            <Button
              onPress={() => {
                write({ base: shown.version, text });
                setOpen("apply");
              }}
            >
              {words.keep_mine}
            </Button>
            <Button onPress={() => setOpen("discard")}>{words.take_theirs}</Button>
          </div>
        </div>
      )}
      {mayChange && (
        <div className="actions plan-actions">
          <Button kind="main" isDisabled={!isEdited || isOvertaken} onPress={() => setOpen("apply")}>
            {words.apply}
          </Button>
          <Button isDisabled={!isEdited} onPress={() => setOpen("discard")}>
            {words.discard}
          </Button>
          <span className="muted">{words.keys}</span>
        </div>
      )}
      <div className="plan-desk">
        <TextEditor
          ref={editor}
          text={text}
          findings={checking.found?.findings ?? []}
          isReadOnly={!mayChange}
          onChange={edit}
        />
        <div className="plan-side">
          <Findings checking={checking} onJump={jump} />
          <Explain shown={shown} edited={isEdited ? text : undefined} onJump={jump} />
        </div>
      </div>
      {open === "apply" && (
        <ApplyDialog
          title={words.apply_title}
          compare={() => api.post<Comparison>("/plan/diff", { text })}
          apply={(reason) => api.put<Applied>("/plan", { text, expected: draft?.base ?? shown.version, reason })}
          onDone={done}
          onClose={() => {
            setOpen(undefined);
            onApplied(); // somebody else may have been faster: then the page says so
          }}
        />
      )}
      {open === "discard" && (
        <Confirm
          title={words.discard_question}
          confirm={words.discard}
          isDanger
          onConfirm={async () => {
            write(undefined);
            notify(words.discarded);
            return Promise.resolve();
          }}
          onClose={() => setOpen(undefined)}
        >
          <p>{words.discard_body}</p>
        </Confirm>
      )}
    </>
  );
}

function Standing({
  shown,
  isEdited,
  mayChange,
}: {
  readonly shown: PlanShown;
  readonly isEdited: boolean;
  readonly mayChange: boolean;
}) {
  const words = useTexts(plan);
  return (
    <>
      <p>
        {words.version(shown.version)} <Badge>{isEdited ? words.edited : words.in_force}</Badge>
      </p>
      {!shown.running && <p className="warning-box">{words.not_running}</p>}
      {shown.in_file !== "" && shown.in_file !== shown.version && (
        <p className="warning-box">{words.file_differs(shown.file, shown.in_file)}</p>
      )}
      {!mayChange && <p className="muted">{shown.masked ? words.masked : words.read_only}</p>}
    </>
  );
}
