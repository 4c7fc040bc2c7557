/** A sound to try a loudspeaker with, made here: two notes, or a ring. Played on the device that is chosen. */
const SECONDS = 1.2;
const NOTES_HZ: Readonly<Record<"tone" | "ring", readonly number[]>> = { tone: [523, 784], ring: [440, 480] };

/** Play it; resolves when it is over. device: "" for the computer's own. Raises what the browser does. */
export async function play(sound: "tone" | "ring", device: string, volume: number): Promise<void> {
  const context = new AudioContext();
  try {
    const out = context.createMediaStreamDestination();
    const gain = new GainNode(context, { gain: 0.25 });
    gain.connect(out);
    NOTES_HZ[sound].forEach((frequency, place) => {
      const note = new OscillatorNode(context, { frequency });
      note.connect(gain);
      // A test tone is two notes, one after the other; a ring is both at once.
      note.start(context.currentTime + (sound === "tone" ? (place * SECONDS) / 2 : 0));
      note.stop(context.currentTime + (sound === "tone" ? ((place + 1) * SECONDS) / 2 : SECONDS));
    });
    const audio = new Audio();
    audio.srcObject = out.stream;
    audio.volume = volume;
    if (device !== "" && "setSinkId" in audio) await audio.setSinkId(device);
    await context.resume();
    await audio.play();
    await new Promise((over) => setTimeout(over, SECONDS * 1000 + 100));
    audio.pause();
    audio.srcObject = null;
  } finally {
    await context.close();
  }
}
