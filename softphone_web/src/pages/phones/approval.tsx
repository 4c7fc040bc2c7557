/**
 * Letting a telephone in that waits. Where it was seen at several addresses, all but one may be impostors: whoever
 * lets it in says which is the real one.
 *
 *     const { approve, question } = useApproval(phone, onDone);
 *
 * `approve` throws what the server refuses otherwise; `question` is to be drawn.
 */
import { type ReactNode, useState } from "react";

import { Dialog } from "../../components/Dialog";
import { Select } from "../../components/Field";
import { Form } from "../../components/Form";
import { phones } from "../../language/phones";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { asProblem } from "../../server/resource";
import { type Phone, printed } from "./phone";

export interface Approval {
  readonly approve: (phone: Phone) => Promise<void>;
  readonly question: ReactNode;
}

/** onDone: when it is let in. onClose: when whoever is asked for the address gives up. */
export function useApproval(onDone: (phone: Phone) => void, onClose: () => void = () => undefined): Approval {
  const [asked, setAsked] = useState<{ readonly phone: Phone; readonly addresses: readonly string[] }>();
  const approve = async (phone: Phone) => {
    try {
      await api.post(path(phone));
    } catch (failure) {
      const problem = asProblem(failure);
      if (problem.code !== "several_addresses") throw problem;
      setAsked({ phone, addresses: problem.errors.map((one) => one.detail) });
      return;
    }
    onDone(phone);
  };
  const question = asked !== undefined && (
    <WhichAddress
      {...asked}
      onClose={() => {
        setAsked(undefined);
        onClose();
      }}
      onDone={() => {
        setAsked(undefined);
        onDone(asked.phone);
      }}
    />
  );
  return { approve, question };
}

function path(phone: Phone): string {
  return `/phones/${phone.name}/approval`;
}

function WhichAddress({
  phone,
  addresses,
  onDone,
  onClose,
}: {
  readonly phone: Phone;
  readonly addresses: readonly string[];
  readonly onDone: () => void;
  readonly onClose: () => void;
}) {
  const words = useTexts(phones);
  const send = async (address: string) => {
    await api.post(path(phone), undefined, { query: { address } });
    onDone();
  };
  return (
    <Dialog title={words.which_title(printed(phone.name))} onClose={onClose}>
      <p>{words.which_lead}</p>
      <Form submit={words.take} onSubmit={(answers) => send(answers["address"] ?? "")} onCancel={onClose} isAlwaysFree>
        {/* None is chosen beforehand: it would be the impostor's as easily. */}
        <Select name="address" label={words.which} options={["", ...addresses].map((one) => ({ value: one, label: one || words.which_choose }))} isRequired />
      </Form>
    </Dialog>
  );
}
