import type { TokenCoordinatorError } from '../core/errors.js';
import type { Diagnosis } from '../core/record.js';
import type { Effect, Event, State } from '../core/state.js';
import type { Outcome, StoreResult } from '../core/outcome.js';

/** One step of a coordinator, as its runtime sees it. */
export interface Step {
  /** Of the coordinator. */
  readonly name: string;
  /** Epoch milliseconds. */
  readonly at: number;
  /** The event. */
  readonly event: Event;
  /** The coordinator's knowledge before it; absent at its start. */
  readonly before: State | undefined;
  /** Its knowledge now. */
  readonly after: State;
  /** The consequences. */
  readonly effects: readonly Effect[];
}

/**
 * One step in one line: the event, its changes and its consequences. Never a token in it. `undefined` if a timer found nothing to do.
 */
export function describe({ name, at, event, before, after, effects }: Step): string | undefined {
  const changes = changesOf(before, after);
  const done = effects.map(effectText).filter((one) => one !== undefined);
  if (event.type === 'tick' && !changes[0] && !done[0]) return undefined;
  const time = new Date(at).toISOString().slice(11, 23);
  const parts = [eventText(event), changes.join(', '), done.join(', ')].filter(Boolean);
  return `one-refresh ${name} ${time} ${short(after.me)}  ${parts.join(' → ')}`;
}

function short(id: string | undefined): string {
  return id?.slice(0, 6) ?? 'nobody';
}

function eventText(event: Event): string {
  switch (event.type) {
    case 'start':
      return 'starts';
    case 'tick':
      return 'timer';
    case 'close':
      return 'is closed';
    case 'lifecycle':
      return `page: ${event.change}`;
    case 'message': {
      const { type, from, version, term } = event.message;
      return `hears ${type} from ${short(from)} (version ${version}, term ${term})`;
    }
    case 'call':
      return `call ${event.id}: wants ${event.force ? 'a newer' : 'a'} token${audienceText(event)}`;
    case 'cancel':
      return `call ${event.id}: given up, ${event.error.code}`;
    case 'session':
      return 'signs in';
    case 'signing-in':
      return event.change > 0 ? 'setSession() begins' : 'setSession() is over';
    case 'sign-out':
      return 'signs out';
    case 'lock':
      return `lock ${event.outcome}`;
    case 'unreachable':
      return 'no refresh worker';
    case 'stored':
      return `store: ${storedText(event.result)}`;
    case 'answered':
      return `answer: ${outcomeText(event.outcome)}`;
  }
}

function audienceText({
  resource,
  scope,
}: {
  resource?: string | undefined;
  scope?: string | undefined;
}): string {
  return [resource && ` for ${resource}`, scope && ` with scope ${scope}`].filter(Boolean).join('');
}

function storedText({ failed, won, wrote, record }: StoreResult): string {
  if (failed) return failed === 'once' ? 'failed' : 'cannot be opened';
  const place = record ? `version ${record.version}, term ${record.term}` : 'nobody is signed in';
  return `${won ? 'changed' : wrote ? 'written' : 'read'}, ${place}`;
}

function outcomeText(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'tokens':
      return outcome.refused ? `refused, ${outcome.refused.message}` : 'new tokens';
    case 'foreign':
      return `refused, ${outcome.refused.message}`;
    case 'lost':
      return `the refresh token is dead${whyText(outcome.why)}`;
    case 'rejected':
      return `rejected${whyText(outcome.why)}`;
    case 'conflict':
      return 'the server holds a newer version';
    case 'unavailable':
      return `none that is of use${whyText(outcome.why)}`;
    case 'fault':
      return outcome.fault.message;
  }
}

function whyText({ status, error, errorDescription, cause }: Diagnosis): string {
  const thrown = cause && `${cause.name}: ${cause.message}`;
  const said = [status, error, errorDescription, thrown].filter((part) => part !== undefined).join(' ');
  return said && ` (${said})`;
}

function statusOf({ loaded, record }: State): string {
  if (!loaded) return 'loading';
  // (No function of the core is used here, or a bundler would split the core in two.)
  const { kind, reason } = record?.ended ?? {};
  if (kind === 'foreign') return "signed-out (another app's session)";
  if (!record || kind === 'signed-out') return 'signed-out';
  return kind ? `reauth-required (${reason})` : `signed-in, version ${record.version}`;
}

function changesOf(before: State | undefined, after: State): string[] {
  const changes: string[] = [];
  const compare = (read: (state: State) => string | undefined): void => {
    const now = read(after);
    if (now !== undefined && (!before || read(before) !== now)) changes.push(now);
  };
  compare(statusOf);
  compare(({ record }) => (record?.leader ? `leader ${short(record.leader)}` : undefined));
  compare(({ storage }) => (storage === 'memory' ? 'goes on without the store' : undefined));
  compare(
    ({ pause }) =>
      pause && `paused ${pause.until === Infinity ? 'until a wake-up' : 'for a while'} (${pause.code})`,
  );
  const [from, to] = [before?.flight?.phase ?? 'idle', after.flight?.phase ?? 'idle'];
  if (from !== to) changes.push(`${from} to ${to}`);
  return changes;
}

function effectText(effect: Effect): string | undefined {
  switch (effect.type) {
    case 'lock': {
      const lock = effect.name.startsWith('attempt:') ? 'attempt' : effect.name;
      return effect.mode === 'steal' ? `steals the ${lock} lock` : `asks for the ${lock} lock`;
    }
    case 'unlock':
      return 'lets a lock go';
    case 'store':
      return effect.change ? 'writes' : 'reads';
    case 'send':
      return `sends attempt ${effect.attempt.attempt} of version ${effect.attempt.version}${audienceText(effect.attempt)}`;
    case 'post':
      return `says ${effect.message.type}`;
    case 'ask':
      return 'asks the refresh worker';
    case 'channel':
      return `${effect.open ? 'opens' : 'closes'} the channel`;
    case 'settle':
      return settledText(effect);
    case 'emit':
      return `event ${effect.event.type}${effect.event.reason === undefined ? '' : ` (${effect.event.reason})`}`;
    case 'revoke':
      return 'revokes a refresh token';
    case 'dispose':
      return 'is gone';
  }
}

function settledText({
  id,
  token,
  error,
}: {
  id: number;
  token?: string | undefined;
  error?: TokenCoordinatorError | undefined;
}): string {
  return `call ${id}: ${error ? error.code : token === undefined ? 'done' : 'has its token'}`;
}
