import { ApiError, getState, listen } from "./api.js";
import { adoptState, emit, loadLatest, receive, state } from "./state.js";

const RETRY_MS = [300, 700, 1500, 3000, 5000];
let close = () => {};
let generation = 0;

/**
 * Connects as `user` (or as whom the sandbox picks) and stays connected: after any loss it reloads the state and the
 * open channels, then listens from there. Topic "connection" tells `{ isLost }`.
 */
export async function connect(user) {
  const mine = ++generation;
  close();
  for (let failures = 0; mine === generation; failures += 1) {
    try {
      await join(user, mine);
      return;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // A remembered user may belong to a sandbox that was reset.
      if (user && error.status >= 400 && error.status < 500) user = undefined;
      if (mine === generation) emit("connection", { isLost: true });
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]));
    }
  }
}

async function join(user, mine) {
  const answer = await getState(user);
  if (mine !== generation) return;
  const known = answer.users.filter((one) => !one.bot);
  const me = known.find((one) => one.id === user)?.id ?? known[0]?.id ?? answer.users[0].id;
  const loaded = state.me === me ? [...state.rooms.values()].filter((place) => place.isLoaded) : [];
  adoptState(answer, me);
  close = listen(me, answer.seq, {
    onOpen: () => mine === generation && emit("connection", { isLost: false }),
    onEvent: (type, data) => mine === generation && receive(type, data),
    onLost: () => {
      if (mine !== generation) return;
      emit("connection", { isLost: true });
      setTimeout(() => mine === generation && connect(me), RETRY_MS[0]);
    },
  });
  await Promise.all(loaded.filter((place) => state.channels.has(place.channel)).map((place) => loadLatest(place.channel)));
}
