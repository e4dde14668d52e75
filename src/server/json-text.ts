// The members of a JSON object in its text. To parse a body and write it anew would change numbers above 2^53, and it would change 1.0 into 1.

interface Member {
  readonly name: string;
  /** Where its value begins and ends in the text. */
  readonly start: number;
  readonly end: number;
}

/** A string, a bracket, a comma, a colon, or a number or word. Linear in the text's length. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/** @param text - an object that `JSON.parse` accepts */
export function membersOf(text: string): Member[] {
  const members: Member[] = [];
  let depth = 0;
  let name: string | undefined;
  let start: number | undefined;
  let end = 0;
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    if (token === '}' || token === ']') depth--;
    if (name !== undefined && start !== undefined && (depth === 0 || (depth === 1 && token === ','))) {
      members.push({ name, start, end });
      name = start = undefined;
    } else if (depth === 1 && name === undefined) name = token === ',' ? undefined : parseName(token);
    else if (name !== undefined && start === undefined && token !== ':') start = index;
    if (token === '{' || token === '[') depth++;
    end = index + token.length;
  }
  return members;
}

/**
 * The text of an object with other members. Every other character stays as it is. A member that comes twice is changed twice.
 *
 * @param text - an object that `JSON.parse` accepts
 */
export function withMembers(text: string, changes: Readonly<Record<string, unknown>>): string {
  const members = membersOf(text);
  let changed = '';
  let at = 0;
  for (const { name, start, end } of members) {
    if (!Object.hasOwn(changes, name)) continue;
    changed += text.slice(at, start) + JSON.stringify(changes[name]);
    at = end;
  }
  const names = new Set(members.map(({ name }) => name));
  const added = Object.entries(changes)
    .filter(([name]) => !names.has(name))
    .map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`)
    .join();
  const last = text.lastIndexOf('}');
  return changed + text.slice(at, last) + (names.size > 0 && added ? ',' : '') + added + text.slice(last);
}

const parseName = (token: string): string => String(JSON.parse(token));
