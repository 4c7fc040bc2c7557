/** The plans that were put in force: what each changed, and the way back. */
import { useEffect, useState } from "react";

import { Button } from "../../components/Button";
import { Dialog } from "../../components/Dialog";
import { Loading, Problem } from "../../components/Problem";
import { Badge } from "../../components/State";
import { Table } from "../../components/Table";
import { Tabs } from "../../components/Tabs";
import { Time } from "../../components/Time";
import { plan } from "../../language/plan";
import { moment } from "../../language/moments";
import { useTexts } from "../../language/texts";
import { type ServerProblem, api } from "../../server/api";
import { asProblem, useList, useResource } from "../../server/resource";
import { ApplyDialog } from "./ApplyDialog";
import { Changes } from "./Changes";
import { LinesShown } from "./LinesShown";
import { said } from "./saying";
import type { Applied, Comparison, HistoryEntry, PlanShown, VersionText } from "./shapes";

export function History({
  shown,
  mayChange,
  onApplied,
}: {
  readonly shown: PlanShown;
  readonly mayChange: boolean;
  readonly onApplied: (applied: Applied) => void;
}) {
  const words = useTexts(plan);
  const entries = useList<HistoryEntry>("/plan/history?limit=50");
  const [compared, setCompared] = useState<HistoryEntry>();
  const [wanted, setWanted] = useState<HistoryEntry>();
  return (
    <>
      <Table
        label={words.history}
        rows={entries.items}
        rowKey={(entry) => `${entry.at} ${entry.version}`}
        isLoading={entries.isLoading}
        problem={entries.problem}
        onRetry={entries.reload}
        more={entries.more}
        empty={words.history_empty}
        hasFilter={entries.items.length > 10}
        columns={[
          {
            key: "at",
            title: words.since,
            isMain: true,
            cell: (entry) => <Time at={entry.at} />,
            text: (entry) => moment(entry.at),
            value: (entry) => entry.at,
          },
          {
            key: "version",
            title: words.version_column,
            cell: (entry) => (
              <>
                <code>{entry.version}</code>{" "}
                {entry.version === shown.version && <Badge>{words.in_force}</Badge>}
              </>
            ),
            text: (entry) => entry.version,
          },
          { key: "author", title: words.author, cell: (entry) => entry.author, text: (entry) => entry.author },
          {
            key: "reason",
            title: words.reason,
            cell: (entry) => said(entry.reason),
            text: (entry) => said(entry.reason),
          },
          {
            key: "actions",
            title: "",
            cell: (entry) => (
              <div className="actions">
                <Button label={words.what_changed_label(entry.version)} onPress={() => setCompared(entry)}>
                  {words.what_changed}
                </Button>
                {mayChange && entry.kept && entry.version !== shown.version && (
                  <Button label={words.roll_back_label(entry.version)} onPress={() => setWanted(entry)}>
                    {words.roll_back}
                  </Button>
                )}
              </div>
            ),
          },
        ]}
      />
      {compared !== undefined && <Compared entry={compared} onClose={() => setCompared(undefined)} />}
      {wanted !== undefined && (
        <ApplyDialog
          title={words.rollback_title(wanted.version)}
          reason={words.reason_rollback(wanted.version)}
          compare={() => api.post<Comparison>("/plan/diff", { version: wanted.version })}
          apply={(reason) =>
            api.post<Applied>("/plan/rollback", { version: wanted.version, expected: shown.version, reason })
          }
          onDone={(applied) => {
            setWanted(undefined);
            entries.reload();
            onApplied(applied);
          }}
          onClose={() => setWanted(undefined)}
        />
      )}
    </>
  );
}

/** What one plan changed, in words and line by line. */
function Compared({ entry, onClose }: { readonly entry: HistoryEntry; readonly onClose: () => void }) {
  const words = useTexts(plan);
  const [comparison, setComparison] = useState<Comparison>();
  const [problem, setProblem] = useState<ServerProblem>();
  const hasFormer = entry.previous !== "";
  const before = useResource<VersionText>(hasFormer ? `/plan/history/${entry.previous}` : undefined);
  const after = useResource<VersionText>(hasFormer ? `/plan/history/${entry.version}` : undefined);
  useEffect(() => {
    if (!hasFormer) return;
    api.post<Comparison>("/plan/diff", { version: entry.version, against: entry.previous }).then(
      setComparison,
      (failure: unknown) => setProblem(asProblem(failure)),
    );
  }, [entry, hasFormer]);
  const trouble = problem ?? before.problem ?? after.problem;
  const isRead = comparison !== undefined && before.data !== undefined && after.data !== undefined;
  const title = hasFormer ? words.compare_title(entry.previous, entry.version) : words.version(entry.version);
  return (
    <Dialog title={title} onClose={onClose}>
      {!hasFormer && <p>{words.first_plan}</p>}
      {trouble !== undefined && <Problem problem={trouble} />}
      {hasFormer && trouble === undefined && !isRead && <Loading />}
      {isRead && (
        <Tabs
          label={title}
          tabs={[
            { key: "words", title: words.in_words, content: <Changes comparison={comparison} /> },
            {
              key: "lines",
              title: words.in_lines,
              content: <LinesShown before={before.data.text} after={after.data.text} />,
            },
          ]}
        />
      )}
    </Dialog>
  );
}
