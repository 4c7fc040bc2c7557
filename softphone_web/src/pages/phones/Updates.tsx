/** The fleet in figures, its waves, its firmware. */
import { Facts } from "../../components/Facts";
import { Section } from "../../components/Page";
import { Show } from "../../components/Show";
import { State } from "../../components/State";
import { phoneCare } from "../../language/phone_care";
import { useTexts } from "../../language/texts";
import { address } from "../../server/api";
import { useResource } from "../../server/resource";
import { FirmwarePart } from "./FirmwarePart";
import { Waves } from "./Waves";
import type { Inventory } from "./care";
import { useMaker } from "./naming";

export function Updates() {
  const words = useTexts(phoneCare);
  const found = useResource<Inventory>("/phones/inventory");
  return (
    <>
      <Section
        title={words.figures}
        actions={
          <a className="button" href={address("/phones/inventory.csv")} download>
            {words.csv}
          </a>
        }
      >
        <Show resource={found}>{(inventory) => <Figures inventory={inventory} />}</Show>
      </Section>
      <Waves inventory={found.data} />
      <FirmwarePart />
    </>
  );
}

function Figures({ inventory }: { readonly inventory: Inventory }) {
  const words = useTexts(phoneCare);
  const maker = useMaker();
  const { counts, versions, reachable } = inventory;
  const behind = (count: number) => (count === 0 ? "0" : <State kind="warning">{count}</State>);
  return (
    <>
      {!reachable && <p className="problem">{words.unreachable}</p>}
      <Facts
        facts={[
          [words.phones, counts.phones],
          [words.registered, reachable ? counts.registered : "–"],
          [words.in_call, reachable ? counts.in_call : "–"],
          [words.to_come, behind(counts.to_come)],
          [words.old_firmware, behind(counts.old_firmware)],
          ...Object.entries(versions).map(
            ([device, each]) =>
              [
                `${words.running}, ${device.replace(/^\S+/, maker)}`,
                Object.entries(each)
                  .map(([version, count]) => `${version} (${count})`)
                  .join(", "),
              ] as const,
          ),
        ]}
      />
    </>
  );
}
