// Everyone who can sign in here, without a password.
export interface DemoUser {
  id: string;
  name: string;
  greeting: string;
}

export const users: readonly DemoUser[] = [
  { id: 'alice', name: 'Alice', greeting: 'keeps forty tabs open' },
  { id: 'bob', name: 'Bob', greeting: 'closes the wrong one' },
];

export function findUser(id: string | undefined): DemoUser | undefined {
  return users.find((user) => user.id === id);
}
