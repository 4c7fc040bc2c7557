/** How calls reach this browser: notifications while no page is open, the installed application, links of telephones. */
import { useEffect, useState, useSyncExternalStore } from "react";

import { Button } from "../../components/Button";
import { Checkbox, FieldGroup } from "../../components/Field";
import { notify } from "../../components/Notices";
import { Section } from "../../components/Page";
import { useSaying } from "../../components/Problem";
import { Show } from "../../components/Show";
import { reach } from "../../language/reach";
import { useTexts } from "../../language/texts";
import { canInstall, canTakeLinks, installNow, takeLinks, watchInstalling } from "../../reach/installing";
import {
  PUSH_KINDS,
  type Push,
  type PushBrowser,
  type PushKind,
  PushProblem,
  noPush,
  switchOff,
  switchOn,
  thisBrowser,
} from "../../reach/pushing";
import { api } from "../../server/api";
import { asProblem, useResource } from "../../server/resource";

export function Notifications({ hasNumber }: { readonly hasNumber: boolean }) {
  const words = useTexts(reach);
  const push = useResource<Push>("/push");
  const why = hasNumber ? noPush() : undefined;
  return (
    <>
      <Section title={words.notifications}>
        <p>{words.lead}</p>
        {!hasNumber && <p className="muted">{words.no_extension}</p>}
        {why !== undefined && <p className="muted">{words[why]}</p>}
        {hasNumber && why === undefined && (
          <Show resource={push}>{(data) => <Switch push={data} onChanged={push.reload} />}</Show>
        )}
      </Section>
      <Installing />
      {hasNumber && canTakeLinks() && (
        <Section title={words.links}>
          <p>{words.links_lead}</p>
          <Button
            onPress={() => {
              takeLinks();
              notify(words.links_asked);
            }}
          >
            {words.links_take}
          </Button>
        </Section>
      )}
    </>
  );
}

function Switch({ push, onChanged }: { readonly push: Push; readonly onChanged: () => void }) {
  const words = useTexts(reach);
  const say = useSaying();
  const [mine, setMine] = useState<PushBrowser>();
  const [isBusy, setBusy] = useState(false);
  useEffect(() => void thisBrowser(push).then(setMine), [push]);
  const act = async (work: () => Promise<unknown>, done = "") => {
    setBusy(true);
    try {
      await work();
      if (done !== "") notify(done);
      onChanged();
    } catch (failure) {
      notify(failure instanceof PushProblem ? words[failure.why] : say(asProblem(failure)), "bad");
    }
    setBusy(false);
  };
  const others = push.browsers.length - (mine === undefined ? 0 : 1);
  return (
    <>
      {mine === undefined ? (
        <Button kind="main" isBusy={isBusy} onPress={() => void act(() => switchOn(push.key, PUSH_KINDS))}>
          {words.switch_on}
        </Button>
      ) : (
        <>
          <p>{words.on}</p>
          <Kinds mine={mine} isBusy={isBusy} onChange={(kinds) => void act(() => api.patch(`/push/browsers/${mine.id}`, { kinds }))} />
          <div className="actions">
            <Button isBusy={isBusy} onPress={() => void act(() => api.post(`/push/browsers/${mine.id}/test`), words.tested)}>
              {words.test}
            </Button>
            <Button isBusy={isBusy} onPress={() => void act(switchOff)}>
              {words.switch_off}
            </Button>
          </div>
        </>
      )}
      {others > 0 && <p className="muted">{words.others(others)}</p>}
    </>
  );
}

function Kinds({
  mine,
  isBusy,
  onChange,
}: {
  readonly mine: PushBrowser;
  readonly isBusy: boolean;
  readonly onChange: (kinds: readonly PushKind[]) => void;
}) {
  const words = useTexts(reach);
  return (
    <FieldGroup label={words.kinds}>
      {PUSH_KINDS.map((kind) => (
        <Checkbox
          key={kind}
          name={kind}
          label={words[kind]}
          isDisabled={isBusy}
          isChecked={mine.kinds.includes(kind)}
          onChange={(isChecked) =>
            onChange(PUSH_KINDS.filter((one) => (one === kind ? isChecked : mine.kinds.includes(one))))
          }
        />
      ))}
    </FieldGroup>
  );
}

function Installing() {
  const words = useTexts(reach);
  const isOffered = useSyncExternalStore(watchInstalling, canInstall);
  if (!isOffered) return null;
  return (
    <Section title={words.installed}>
      <p>{words.install_lead}</p>
      <Button onPress={() => void installNow()}>{words.install}</Button>
    </Section>
  );
}
