export { createFakeCoordinator } from './fake-coordinator.js';
export type { FakeCoordinator, FakeCoordinatorOptions, FakeState } from './fake-coordinator.js';
