/** What whoever is signed in may do with a call: their own part of it, or anybody's where they have that right. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Confirm, Dialog } from "../../components/Dialog";
import { Field, Select } from "../../components/Field";
import { Form } from "../../components/Form";
import { notify } from "../../components/Notices";
import { Problem, useSaying } from "../../components/Problem";
import { calls } from "../../language/calls";
import { spokenNumber } from "../../language/moments";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { asProblem, useAction } from "../../server/resource";
import { useSession } from "../../server/session";
import { type Call, type Done, type Party, partyOf } from "./shapes";

type Asked = "" | "transfer" | "hang-up" | "manage";

export function CallActions({ call, onDone }: { readonly call: Call; readonly onDone: () => void }) {
  const words = useTexts(calls);
  const session = useSession();
  const [asked, setAsked] = useState<Asked>("");
  const own = partyOf(call, session.extension);
  const close = () => setAsked("");
  const done = () => {
    close();
    onDone();
  };
  if (own !== undefined) {
    return (
      <div className="actions">
        {speaks(own) && (
          <>
            <Button onPress={() => setAsked("transfer")}>{words.transfer}</Button>
            <ParkButton call={call} party={own} onDone={done} />
          </>
        )}
        <HangUpButton call={call} party={own} onDone={done} />
        {asked === "transfer" && <TransferDialog call={call} party={own} onDone={done} onClose={close} />}
      </div>
    );
  }
  const rings = call.parties.find((party) => party.state === "rings");
  const mayControl = session.rights.includes("calls.control");
  return (
    <div className="actions">
      {rings !== undefined && session.extension !== "" && <PickUpButton party={rings} onDone={done} />}
      {mayControl && (
        <Button label={`${words.manage} ${title(call, words.anonymous)}`} onPress={() => setAsked("manage")}>
          {words.manage}
        </Button>
      )}
      {asked === "manage" && <ManageDialog call={call} onDone={done} onClose={close} />}
    </div>
  );
}

interface ForParty {
  readonly call: Call;
  readonly party: Party;
  readonly onDone: () => void;
}

function act(call: Call, verb: string, body: Readonly<Record<string, string>>): Promise<Done> {
  return api.post<Done>(`/calls/${encodeURIComponent(call.id)}/${verb}`, body);
}

/** Do something from a button beside the list: what goes wrong is a notice, which stays. */
function useNoticed(): { isBusy: boolean; run: (work: () => Promise<string>, onDone: () => void) => void } {
  const say = useSaying();
  const [isBusy, setBusy] = useState(false);
  const run = (work: () => Promise<string>, onDone: () => void) => {
    setBusy(true);
    work()
      .then(
        (said) => {
          notify(said);
          onDone();
        },
        (failure: unknown) => notify(say(asProblem(failure)), "bad"),
      )
      .finally(() => setBusy(false));
  };
  return { isBusy, run };
}

function HangUpButton({ call, party, onDone }: ForParty) {
  const words = useTexts(calls);
  const { isBusy, run } = useNoticed();
  const hangUp = async () => {
    await act(call, "hang-up", { who: party.number });
    return words.hung_up;
  };
  return (
    <Button kind="danger" isBusy={isBusy} onPress={() => run(hangUp, onDone)}>
      {words.hang_up}
    </Button>
  );
}

function ParkButton({ call, party, onDone }: ForParty) {
  const words = useTexts(calls);
  const { isBusy, run } = useNoticed();
  const park = async () => words.parked((await act(call, "park", { who: party.number })).place);
  return (
    <Button isBusy={isBusy} onPress={() => run(park, onDone)}>
      {words.park}
    </Button>
  );
}

function PickUpButton({ party, onDone }: { readonly party: Party; readonly onDone: () => void }) {
  const words = useTexts(calls);
  const { isBusy, run } = useNoticed();
  const pickUp = async () => {
    await api.post("/calls/pick-up", { of: party.number });
    return words.picking_up;
  };
  return (
    <Button kind="main" isBusy={isBusy} onPress={() => run(pickUp, onDone)}>
      {words.pick_up}
    </Button>
  );
}

function TransferDialog({ call, party, onDone, onClose }: ForParty & { readonly onClose: () => void }) {
  const words = useTexts(calls);
  const other = call.parties.find((one) => one.leg !== party.leg);
  return (
    <Dialog title={words.transfer_title(other === undefined ? words.the_other : nameOf(other))} onClose={onClose}>
      <TransferForm call={call} party={party} onDone={onDone} onClose={onClose} />
    </Dialog>
  );
}

/** Who waits with a service is sent on to a number; whoever speaks transfers the other one. */
function TransferForm({ call, party, onDone, onClose }: ForParty & { readonly onClose: () => void }) {
  const words = useTexts(calls);
  const waits = party.state === "waits";
  return (
    <Form
      submit={waits ? words.send_on : words.transfer_go}
      onCancel={onClose}
      onSubmit={async (answers) => {
        await act(call, waits ? "send-on" : "transfer", { who: party.number, number: (answers["number"] ?? "").trim() });
        notify(words.transfer_done);
        onDone();
      }}
    >
      <Field name="number" label={words.transfer_to} hint={words.transfer_hint} isRequired maxLength={60} />
    </Form>
  );
}

/** Somebody else's call: for which of its parties is chosen first. */
function ManageDialog({ call, onDone, onClose }: Omit<ForParty, "party"> & { readonly onClose: () => void }) {
  const words = useTexts(calls);
  const action = useAction();
  const [leg, setLeg] = useState(call.parties.find((party) => party.number.length < 8)?.leg ?? call.parties[0]?.leg);
  const [isEnding, setEnding] = useState(false);
  const party = call.parties.find((one) => one.leg === leg) ?? call.parties[0];
  if (party === undefined) return null;
  if (isEnding) {
    return (
      <Confirm
        title={words.hang_up_title(nameOf(party))}
        confirm={words.hang_up}
        isDanger
        onConfirm={() => act(call, "hang-up", { who: party.number })}
        onClose={onDone}
      >
        {words.hang_up_says}
      </Confirm>
    );
  }
  const park = () =>
    action.run(async () => notify(words.parked((await act(call, "park", { who: party.number })).place)));
  return (
    <Dialog title={words.manage_title(title(call, words.anonymous))} onClose={onClose}>
      {action.problem !== undefined && <Problem problem={action.problem} />}
      <div className="call-party">
        <Select
          name="party"
          label={words.acting_for}
          value={party.leg}
          onChange={setLeg}
          options={call.parties.map((one) => ({ value: one.leg, label: nameOf(one) }))}
        />
      </div>
      {(speaks(party) || party.state === "waits") && (
        <TransferForm key={party.leg} call={call} party={party} onDone={onDone} onClose={onClose} />
      )}
      <div className="actions call-end">
        {speaks(party) && (
          <Button isBusy={action.isBusy} onPress={() => void park().then((isDone) => isDone && onDone())}>
            {words.park}
          </Button>
        )}
        <Button kind="danger" onPress={() => setEnding(true)}>
          {words.hang_up}
        </Button>
      </div>
    </Dialog>
  );
}

/** Whether it has somebody at the other end, who can be transferred and parked. */
function speaks(party: Party): boolean {
  return ["talks", "holds", "held"].includes(party.state);
}

function nameOf(party: Party): string {
  return party.name === "" ? spokenNumber(party.number) : party.name;
}

function title(call: Call, anonymous: string): string {
  const names = call.parties.map((party) => (party.number === "" ? anonymous : nameOf(party)));
  return names.join(" – ");
}
