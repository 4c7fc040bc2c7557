/** Backups: made, verified, downloaded, deleted. Restoring is a command, and said so. */
import { useEffect, useState } from "react";

import { Button } from "../../components/Button";
import { Confirm } from "../../components/Dialog";
import { notify } from "../../components/Notices";
import { Page, Section } from "../../components/Page";
import { Problem } from "../../components/Problem";
import { Said } from "../../components/Said";
import { State } from "../../components/State";
import { Table } from "../../components/Table";
import { Time } from "../../components/Time";
import { backup } from "../../language/backup";
import { moment, size } from "../../language/moments";
import { useTexts } from "../../language/texts";
import { address, api } from "../../server/api";
import { useAction, useResource } from "../../server/resource";
import "./backup.css";
import { inFrench } from "./troubles";

interface Kept {
  readonly name: string;
  readonly at: number;
  readonly bytes: number;
}

interface Work {
  readonly what: "make" | "verify" | "";
  readonly name: string;
  readonly at: number;
  readonly share: number;
  readonly state: "running" | "done" | "failed";
  readonly problem: string;
  readonly files: number;
  readonly notes: readonly string[];
}

interface Backups {
  readonly items: readonly Kept[];
  readonly work: Work;
  readonly is_late: boolean;
  readonly folder: string;
}

const WATCH_MS = 500;
const DAY_SECONDS = 86_400;

export default function Backup() {
  const words = useTexts(backup);
  const list = useResource<Backups>("/backups");
  const action = useAction();
  const { reload } = list;
  const isRunning = list.data?.work.state === "running";
  useEffect(() => {
    if (!isRunning) return undefined;
    const timer = setInterval(reload, WATCH_MS);
    return () => clearInterval(timer);
  }, [isRunning, reload]);
  const begin = (path: string) => void action.run(() => api.post(path)).then(reload);
  return (
    <Page
      title={words.title}
      lead={words.lead}
      actions={
        <Button kind="main" isBusy={isRunning || action.isBusy} onPress={() => begin("/backups")}>
          {words.make}
        </Button>
      }
    >
      {action.problem !== undefined && <Problem problem={action.problem} />}
      {list.data !== undefined && <Standing found={list.data} />}
      <Listed list={list.data} problem={list.problem} isLoading={list.isLoading} onChange={reload} begin={begin} />
      <Section title={words.restore}>
        <p>{words.restore_body}</p>
        <pre className="command">
          <code>{`beffroi backup restore ${list.data?.items[0]?.name ?? "beffroi.tar.gz"} --into /srv/beffroi`}</code>
        </pre>
        <p className="muted">{words.restore_then}</p>
      </Section>
    </Page>
  );
}

/** What is being done or was last, and whether it is time for a backup. */
function Standing({ found }: { readonly found: Backups }) {
  const words = useTexts(backup);
  const { work, items } = found;
  const newest = items[0];
  const [openedAt] = useState(() => Date.now() / 1000);
  return (
    <>
      {found.is_late && work.state !== "running" && (
        <p className="warning-box">
          {newest === undefined
            ? words.late_none
            : words.late(Math.floor((openedAt - newest.at) / DAY_SECONDS))}
        </p>
      )}
      <div role="status">
        {work.state === "running" && <Running work={work} />}
        {work.state === "done" && work.what !== "" && (
          <p>
            <State kind="good">
              {work.what === "make"
                ? words.made(work.name, work.files)
                : words.verified(work.name, work.files)}
            </State>
          </p>
        )}
      </div>
      {work.state === "failed" && (
        <div className="problem" role="alert">
          <p>{work.what === "make" ? words.failed_make : words.failed_verify(work.name)}</p>
          <p className="hint">
            <Said text={work.problem} inFrench={inFrench} />
          </p>
        </div>
      )}
      {work.state === "done" && work.notes.some(isPrivateKey) && (
        <p className="warning-box">{words.note_private}</p>
      )}
      {work.state === "done" && work.notes.length > 0 && (
        <Notes notes={work.notes.filter((note) => !isPrivateKey(note))} />
      )}
      <p className="muted">{words.elsewhere}</p>
    </>
  );
}

/** Whether a note tells of the key that opens recordings. */
function isPrivateKey(note: string): boolean {
  return note.includes("which opens recordings");
}

function Running({ work }: { readonly work: Work }) {
  const words = useTexts(backup);
  const name = work.what === "make" ? words.making : words.verifying(work.name);
  return (
    <p className="backup-running">
      <span>{name}</span> <progress aria-label={name} max={1} value={work.share} />
    </p>
  );
}

function Notes({ notes }: { readonly notes: readonly string[] }) {
  const words = useTexts(backup);
  const said = (note: string) => {
    if (note.startsWith("recordings are not")) return words.note_recordings;
    if (note.startsWith("nor are their keys")) return words.note_keys;
    if (note.startsWith("the PostgreSQL")) return words.note_postgresql;
    return note;
  };
  return (
    <>
      <p>{words.not_in_it}</p>
      <ul>
        {notes.map((note) => (
          <li key={note}>{said(note)}</li>
        ))}
      </ul>
    </>
  );
}

function Listed({
  list,
  problem,
  isLoading,
  onChange,
  begin,
}: {
  readonly list: Backups | undefined;
  readonly problem: Parameters<typeof Problem>[0]["problem"] | undefined;
  readonly isLoading: boolean;
  readonly onChange: () => void;
  readonly begin: (path: string) => void;
}) {
  const words = useTexts(backup);
  const [leaving, setLeaving] = useState<Kept>();
  return (
    <Section title={words.list}>
      <Table<Kept>
        label={words.list}
        rows={list?.items ?? []}
        rowKey={(one) => one.name}
        isLoading={isLoading}
        problem={problem}
        onRetry={onChange}
        empty={words.none}
        hasFilter={(list?.items.length ?? 0) > 20}
        columns={[
          {
            key: "at",
            title: words.at,
            isMain: true,
            cell: (one) => <Time at={one.at} />,
            text: (one) => moment(one.at),
            value: (one) => one.at,
          },
          { key: "name", title: words.name, cell: (one) => <code>{one.name}</code>, text: (one) => one.name },
          {
            key: "size",
            title: words.size,
            align: "end",
            cell: (one) => <span className="number">{size(one.bytes)}</span>,
            value: (one) => one.bytes,
          },
          {
            key: "actions",
            title: "",
            cell: (one) => (
              <div className="actions">
                <a
                  className="button"
                  href={address(`/backups/${one.name}`)}
                  download={one.name}
                  aria-label={words.download_label(one.name)}
                >
                  {words.download}
                </a>
                <Button label={words.verify_label(one.name)} onPress={() => begin(`/backups/${one.name}/verify`)}>
                  {words.verify}
                </Button>
                <Button label={words.remove_label(one.name)} onPress={() => setLeaving(one)}>
                  {words.remove}
                </Button>
              </div>
            ),
          },
        ]}
      />
      {leaving !== undefined && (
        <Confirm
          title={words.remove_question}
          confirm={words.remove_confirm}
          isDanger
          onConfirm={async () => {
            await api.delete(`/backups/${leaving.name}`);
            notify(words.removed);
            onChange();
          }}
          onClose={() => setLeaving(undefined)}
        >
          <p>{words.remove_body(leaving.name)}</p>
        </Confirm>
      )}
    </Section>
  );
}
