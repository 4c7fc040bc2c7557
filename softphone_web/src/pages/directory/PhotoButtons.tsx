/**
 * Choosing a photo: it is drawn small on a canvas here, so that neither the place nor the camera goes along.
 */
import { useState } from "react";

import { Button } from "../../components/Button";
import { FileButton } from "../../components/FileButton";
import { notify } from "../../components/Notices";
import { Problem } from "../../components/Problem";
import { directory } from "../../language/directory";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { useAction } from "../../server/resource";
import type { Person } from "./shapes";

const SIDE_PX = 384;
const QUALITY = 0.85;

export function PhotoButtons({ person, onChange }: { readonly person: Person; readonly onChange: () => void }) {
  const words = useTexts(directory);
  const [isWrong, setWrong] = useState(false);
  const action = useAction();
  const path = `/people/${person.number}/photo`;
  const keep = async (file: File) => {
    const small = await squared(file).catch(() => undefined);
    setWrong(small === undefined);
    if (small === undefined) return;
    if (await action.run(() => api.put(path, small))) {
      notify(words.saved);
      onChange();
    }
  };
  const remove = () => {
    void action.run(() => api.delete(path)).then((isDone) => isDone && onChange());
  };
  return (
    <div>
      <div className="actions">
        <FileButton
          accept="image/png,image/jpeg,image/webp"
          label={words.photo_of(person.name)}
          isBusy={action.isBusy}
          onChoose={(file) => void keep(file)}
        >
          {words.photo_choose}
        </FileButton>
        {person.photo_at > 0 && (
          <Button isBusy={action.isBusy} onPress={remove}>
            {words.photo_remove}
          </Button>
        )}
      </div>
      <p className="hint">{words.photo_hint}</p>
      {isWrong && (
        <p className="field-error" role="alert">
          {words.photo_wrong}
        </p>
      )}
      {action.problem !== undefined && <Problem problem={action.problem} />}
    </div>
  );
}

/** The middle of a picture as a small square JPEG. Throws for what this browser can't draw. */
async function squared(file: File): Promise<Blob> {
  const picture = await createImageBitmap(file);
  const side = Math.min(picture.width, picture.height);
  const size = Math.min(side, SIDE_PX);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [size, size];
  const [x, y] = [(picture.width - side) / 2, (picture.height - side) / 2];
  canvas.getContext("2d")?.drawImage(picture, x, y, side, side, 0, 0, size, size);
  const made = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
  if (made === null) throw new Error("the canvas is too large");
  return made;
}
