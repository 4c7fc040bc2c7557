/** Firmware: uploaded, given to sites at their hours, removed; and how many telephones run it. */
import { useRef, useState } from "react";

import { Button } from "../../components/Button";
import { Confirm, Dialog } from "../../components/Dialog";
import { Checkbox, Field, FieldGroup, Select } from "../../components/Field";
import { type Answers, Form } from "../../components/Form";
import { notify } from "../../components/Notices";
import { Section } from "../../components/Page";
import { Problem } from "../../components/Problem";
import { Said } from "../../components/Said";
import { Show } from "../../components/Show";
import { State } from "../../components/State";
import { Table } from "../../components/Table";
import { size } from "../../language/moments";
import { phoneCare } from "../../language/phone_care";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { useAction, useResource } from "../../server/resource";
import { useMay } from "../../server/session";
import type { Choices } from "../directory/shapes";
import { HoursField, hoursOf } from "./HoursField";
import type { Firmware, Image } from "./care";
import { inFrench } from "./findings";
import { useMaker, useSiteTitle } from "./naming";
import type { Brand } from "./phone";

export function FirmwarePart() {
  const words = useTexts(phoneCare);
  const mayChange = useMay("devices.change");
  const maker = useMaker();
  const found = useResource<Firmware>("/phones/firmware");
  const action = useAction();
  const [isUploading, setUploading] = useState(false);
  const [staging, setStaging] = useState<Image>();
  const [leaving, setLeaving] = useState<Image>();
  const unstage = (image: Image) =>
    void action.run(async () => {
      await api.delete(`/phones/firmware/${image.sha256}/stage`);
      notify(words.unstaged);
      found.reload();
    });
  const act = (image: Image) => (
    <div className="actions">
      <Button label={words.stage_one(image.name)} onPress={() => setStaging(image)}>
        {words.stage}
      </Button>
      {image.stage !== null && (
        <Button label={words.unstage_one(image.name)} onPress={() => unstage(image)}>
          {words.unstage}
        </Button>
      )}
      {image.stage === null && image.uploaded && (
        <Button label={words.remove_one(image.name)} onPress={() => setLeaving(image)}>
          {words.remove}
        </Button>
      )}
    </div>
  );
  return (
    <Section title={words.images} actions={mayChange && <Button onPress={() => setUploading(true)}>{words.upload}</Button>}>
      <p>{words.images_lead}</p>
      {action.problem !== undefined && <Problem problem={action.problem} />}
      {found.data !== undefined && found.data.problem !== "" && (
        <p className="problem">
          <Said text={found.data.problem} inFrench={inFrench} />
        </p>
      )}
      <Table
        label={words.images}
        rows={found.data?.items ?? []}
        rowKey={(one) => one.sha256}
        isLoading={found.isLoading}
        problem={found.problem}
        onRetry={found.reload}
        hasFilter={false}
        empty={words.images_empty}
        columns={[
          { key: "image", title: words.image, isMain: true, cell: (one) => <Described image={one} /> },
          { key: "models", title: words.models, cell: (one) => `${maker(one.brand)} ${one.models.join(", ")}` },
          { key: "version", title: words.version, cell: (one) => one.version },
          { key: "given", title: words.given, cell: (one) => <Given image={one} /> },
          {
            key: "running",
            title: words.has_it,
            cell: (one) => (
              <>
                {one.running}
                {one.to_come > 0 && <div className="muted">{words.will_have(one.to_come)}</div>}
              </>
            ),
          },
          ...(mayChange ? [{ key: "actions", title: words.actions, cell: act }] : []),
        ]}
      />
      {isUploading && (
        <Upload
          onClose={() => setUploading(false)}
          onDone={(name) => {
            setUploading(false);
            notify(words.uploaded(name));
            found.reload();
          }}
        />
      )}
      {staging !== undefined && (
        <StageForm
          image={staging}
          onClose={() => setStaging(undefined)}
          onDone={() => {
            setStaging(undefined);
            notify(words.staged);
            found.reload();
          }}
        />
      )}
      {leaving !== undefined && (
        <Confirm
          title={words.remove_title}
          confirm={words.remove}
          isDanger
          onClose={() => setLeaving(undefined)}
          onConfirm={async () => {
            await api.delete(`/phones/firmware/${leaving.sha256}`);
            notify(words.removed);
            found.reload();
          }}
        >
          <p>{words.remove_what(leaving.name)}</p>
        </Confirm>
      )}
    </Section>
  );
}

function Described({ image }: { readonly image: Image }) {
  const words = useTexts(phoneCare);
  return (
    <>
      {image.name} <span className="muted">{size(image.size_bytes)}</span>
      <div className="muted" title={`${words.pinned} ${image.sha256}`}>
        <code>{image.sha256.slice(0, 12)}</code>
        {!image.uploaded && ` · ${words.in_folder}`}
      </div>
    </>
  );
}

function Given({ image }: { readonly image: Image }) {
  const words = useTexts(phoneCare);
  const siteTitle = useSiteTitle();
  if (image.stage === null) return <span className="muted">{words.given_to_nobody}</span>;
  const { sites, hours } = image.stage;
  return (
    <>
      {sites.length === 0 ? words.everybody : sites.map(siteTitle).join(", ")}
      <div className="muted">{hours === null ? words.any_hour : words.hours(...hours)}</div>
      {image.stopped !== "" && (
        <div>
          <State kind="bad">{words.halted}</State>{" "}
          <span className="muted">
            <Said text={image.stopped} inFrench={inFrench} />
          </span>
        </div>
      )}
    </>
  );
}

function Upload({ onDone, onClose }: { readonly onDone: (name: string) => void; readonly onClose: () => void }) {
  const words = useTexts(phoneCare);
  const chooser = useRef<HTMLInputElement>(null);
  const brands = useResource<{ readonly items: readonly Brand[] }>("/phones/brands");
  const [file, setFile] = useState<File>();
  const send = async (answers: Answers) => {
    if (file === undefined) {
      chooser.current?.click();
      return;
    }
    const { brand, models, version } = answers;
    await api.post("/phones/firmware", new Blob([file], { type: "application/octet-stream" }), {
      query: { name: file.name, brand, models: models?.replaceAll(" ", ""), version },
    });
    onDone(file.name);
  };
  return (
    <Dialog title={words.upload} onClose={onClose}>
      <Show resource={brands}>
        {({ items }) => (
          <Form submit={words.upload_go} onSubmit={send} onCancel={onClose}>
            <div className="actions">
              <Button label={`${words.choose} : ${words.file}`} onPress={() => chooser.current?.click()}>
                {words.choose}
              </Button>
              <span role="status">{file === undefined ? words.no_file : `${file.name} (${size(file.size)})`}</span>
            </div>
            <input ref={chooser} type="file" hidden aria-label={words.file} onChange={(event) => setFile(event.target.files?.[0])} />
            <Select name="brand" label={words.brand} options={items.map((one) => ({ value: one.brand, label: one.name }))} />
            <Field name="models" label={words.models} hint={words.models_hint} maxLength={1000} isRequired />
            <Field name="version" label={words.version} hint={words.version_hint} maxLength={40} isRequired />
          </Form>
        )}
      </Show>
    </Dialog>
  );
}

function StageForm({ image, onDone, onClose }: { readonly image: Image; readonly onDone: () => void; readonly onClose: () => void }) {
  const words = useTexts(phoneCare);
  const choices = useResource<Choices>("/directory/choices");
  const send = async (answers: Answers, sites: Choices["sites"]) => {
    const chosen = sites.map((one) => one.name).filter((name) => answers[`site-${name}`] !== undefined);
    await api.put(`/phones/firmware/${image.sha256}/stage`, { sites: chosen, hours: hoursOf(answers) });
    onDone();
  };
  return (
    <Dialog title={words.stage_title} onClose={onClose}>
      <p>
        {image.name} <span className="muted">{image.models.join(", ")}</span>
      </p>
      <Show resource={choices}>
        {({ sites }) => (
          <Form submit={words.stage_go} onSubmit={(answers) => send(answers, sites)} onCancel={onClose} isAlwaysFree>
            <p>{words.stage_lead}</p>
            <FieldGroup label={words.for_site}>
              {sites.map((one) => (
                <Checkbox
                  key={one.name}
                  name={`site-${one.name}`}
                  label={one.title}
                  isCheckedAtFirst={image.stage?.sites.includes(one.name) ?? false}
                />
              ))}
            </FieldGroup>
            <HoursField first={image.stage?.hours ?? null} />
          </Form>
        )}
      </Show>
    </Dialog>
  );
}
