/** Waves: begun, watched while they go on, stopped. */
import { useEffect, useState } from "react";

import { Button } from "../../components/Button";
import { Confirm, Dialog } from "../../components/Dialog";
import { Field, Select } from "../../components/Field";
import { type Answers, Form } from "../../components/Form";
import { notify } from "../../components/Notices";
import { Section } from "../../components/Page";
import { Said } from "../../components/Said";
import { State } from "../../components/State";
import { Table } from "../../components/Table";
import { Time } from "../../components/Time";
import { phoneCare } from "../../language/phone_care";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { useResource } from "../../server/resource";
import { useMay } from "../../server/session";
import { HoursField, hoursOf } from "./HoursField";
import { ACTIONS, type Inventory, type Wave, isGoing, members } from "./care";
import { inFrench } from "./findings";
import { useSiteTitle } from "./naming";

const WATCH_MS = 2000;

export function Waves({ inventory }: { readonly inventory: Inventory | undefined }) {
  const words = useTexts(phoneCare);
  const mayChange = useMay("devices.change");
  const found = useResource<{ readonly items: readonly Wave[] }>("/phones/waves");
  const [isBeginning, setBeginning] = useState(false);
  const [stopping, setStopping] = useState<Wave>();
  const { reload } = found;
  const waves = found.data?.items ?? [];
  const going = waves.filter(isGoing);
  const isWatched = going.length > 0;
  useEffect(() => {
    if (!isWatched) return undefined;
    const timer = setInterval(reload, WATCH_MS);
    return () => clearInterval(timer);
  }, [isWatched, reload]);
  return (
    <Section title={words.waves} actions={mayChange && <Button onPress={() => setBeginning(true)}>{words.begin}</Button>}>
      <p>{words.waves_lead}</p>
      <p className="unseen" role="status">
        {going.map((one) => words.said(one.id, one.progress.back, members(one))).join(" ")}
      </p>
      <Table
        label={words.waves}
        rows={waves}
        rowKey={(one) => String(one.id)}
        isLoading={found.isLoading}
        problem={found.problem}
        onRetry={reload}
        hasFilter={false}
        empty={words.waves_empty}
        columns={[
          {
            key: "what",
            title: words.what,
            isMain: true,
            cell: (one) => (
              <>
                {words[one.action]} <span className="muted">n° {one.id}</span>
                <div className="muted">{one.hours === null ? words.any_hour : words.hours(...one.hours)}</div>
              </>
            ),
          },
          { key: "who", title: words.who, cell: (one) => <Cause wave={one} /> },
          { key: "began", title: words.began, value: (one) => one.begun_at, cell: (one) => <Time at={one.begun_at} /> },
          { key: "progress", title: words.progress, cell: (one) => <Progress wave={one} /> },
          ...(mayChange
            ? [
                {
                  key: "actions",
                  title: words.actions,
                  cell: (one: Wave) =>
                    isGoing(one) && (
                      <Button label={words.stop_one(one.id)} onPress={() => setStopping(one)}>
                        {words.stop}
                      </Button>
                    ),
                },
              ]
            : []),
        ]}
      />
      {isBeginning && (
        <Begin
          inventory={inventory}
          onClose={() => setBeginning(false)}
          onDone={(wave) => {
            setBeginning(false);
            notify(words.begun(members(wave)));
            reload();
          }}
        />
      )}
      {stopping !== undefined && (
        <Confirm
          title={words.stop_title}
          confirm={words.stop}
          onClose={() => setStopping(undefined)}
          onConfirm={async () => {
            await api.post(`/phones/waves/${stopping.id}/stop`);
            notify(words.stopped);
            reload();
          }}
        >
          <p>{words.stop_what}</p>
        </Confirm>
      )}
    </Section>
  );
}

function Cause({ wave }: { readonly wave: Wave }) {
  const words = useTexts(phoneCare);
  if (wave.cause === "") return words.by(wave.account);
  return wave.cause.startsWith("firmware") ? words.cause_firmware : words.cause_settings;
}

function Progress({ wave }: { readonly wave: Wave }) {
  const words = useTexts(phoneCare);
  const { asked, back, away, lost } = wave.progress;
  const all = members(wave);
  const parts = [
    words.done_of(back, all),
    ...(asked > 0 ? [words.asked(asked)] : []),
    ...(away > 0 ? [words.away(away)] : []),
    ...(lost > 0 ? [words.lost(lost)] : []),
  ];
  return (
    <>
      {wave.stopped !== "" ? (
        <State kind="bad">{words.halted}</State>
      ) : isGoing(wave) ? (
        <State kind="ringing">{words.going}</State>
      ) : (
        <State kind={lost > 0 ? "warning" : "good"}>{words.over}</State>
      )}
      <progress className="phone-progress" max={Math.max(1, all)} value={back} aria-label={words.done_of(back, all)} />
      <div className="muted">{parts.join(", ")}</div>
      {wave.stopped !== "" && (
        <div className="muted">
          <Said text={wave.stopped} inFrench={inFrench} />
        </div>
      )}
    </>
  );
}

function Begin({
  inventory,
  onDone,
  onClose,
}: {
  readonly inventory: Inventory | undefined;
  readonly onDone: (wave: Wave) => void;
  readonly onClose: () => void;
}) {
  const words = useTexts(phoneCare);
  const siteTitle = useSiteTitle();
  const [site, setSite] = useState("");
  const [model, setModel] = useState("");
  const served = (inventory?.items ?? []).filter((one) => one.stage === "enrolled");
  const meant = served.filter((one) => (site === "" || one.site === site) && (model === "" || one.model === model));
  const send = async (answers: Answers) => {
    const asked = { action: answers["action"], site, model, size: Number(answers["size"]), hours: hoursOf(answers) };
    onDone(await api.post<Wave>("/phones/waves", asked));
  };
  return (
    <Dialog title={words.begin} onClose={onClose}>
      <Form submit={words.begin_go} onSubmit={send} onCancel={onClose} isAlwaysFree>
        <Select
          name="action"
          label={words.action}
          defaultValue="resync"
          options={ACTIONS.map((one) => ({ value: one, label: words[one] }))}
        />
        <Select name="site" label={words.for_site} value={site} onChange={setSite} options={each(words.all_sites, served.map((one) => one.site), siteTitle)} />
        <Select name="model" label={words.for_model} value={model} onChange={setModel} options={each(words.all_models, served.map((one) => one.model))} />
        <Field name="size" label={words.size} hint={words.size_hint} type="number" defaultValue="20" />
        <HoursField />
        <p role="status">{words.meant(meant.length)}</p>
      </Form>
    </Dialog>
  );
}

function each(all: string, found: readonly string[], called: (one: string) => string = (one) => one) {
  const known = [...new Set(found)].filter(Boolean).map((one) => ({ value: one, label: called(one) }));
  return [{ value: "", label: all }, ...known.sort((a, b) => a.label.localeCompare(b.label))];
}
