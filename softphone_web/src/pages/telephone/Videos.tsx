/** The pictures of a call: the other one's, and one's own, small. */
import { telephone as words_of } from "../../language/telephone";
import { useTexts } from "../../language/texts";
import { usePictures } from "../../telephone/pictures";
import type { PhoneCall } from "../../telephone/shapes";
import { whoIs } from "../../telephone/wording";

export function Videos({ call }: { readonly call: PhoneCall }) {
  const words = useTexts(words_of);
  const { ours, theirs } = usePictures(call.id);
  if (!call.video.isOurs && !call.video.isTheirs) return null;
  return (
    <div className="videos">
      {call.video.isTheirs && <Video stream={theirs} label={words.their_picture(whoIs(call, words))} />}
      {call.video.isOurs && <Video stream={ours} label={words.our_picture} isOurs />}
    </div>
  );
}

function Video({
  stream,
  label,
  isOurs = false,
}: {
  readonly stream: MediaStream | undefined;
  readonly label: string;
  readonly isOurs?: boolean;
}) {
  return (
    <video
      className={isOurs ? "ours" : "theirs"}
      aria-label={label}
      autoPlay
      playsInline
      muted // its sound comes by the call
      ref={(shown) => {
        if (shown !== null && shown.srcObject !== stream) shown.srcObject = stream ?? null;
      }}
    />
  );
}
