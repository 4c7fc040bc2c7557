/** Makes an entry a favourite, or no longer one. */
import { Button } from "../../components/Button";
import { useSaying } from "../../components/Problem";
import { notify } from "../../components/Notices";
import { directory } from "../../language/directory";
import { useTexts } from "../../language/texts";
import { type List, api } from "../../server/api";
import { asProblem, useResource } from "../../server/resource";
import type { Entry } from "./shapes";

export function Star({ entry }: { readonly entry: Entry }) {
  const words = useTexts(directory);
  const say = useSaying();
  const kept = useResource<List<Entry>>("/directory/favourites");
  const ids = kept.data?.items.map((one) => one.id) ?? [];
  const isKept = ids.includes(entry.id);
  const turn = () => {
    const entries = isKept ? ids.filter((id) => id !== entry.id) : [...ids, entry.id];
    api
      .put("/directory/favourites", { entries })
      .then(kept.reload, (failure: unknown) => notify(say(asProblem(failure)), "bad"));
  };
  return (
    <Button
      isPressed={isKept}
      isDisabled={kept.data === undefined}
      label={words.favourite_of(entry.name)}
      onPress={turn}
    >
      <span aria-hidden="true">{isKept ? "★" : "☆"}</span> {words.favourite}
    </Button>
  );
}
