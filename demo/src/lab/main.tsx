import { createRoot } from 'react-dom/client';
import { createLab } from './lab.js';
import { LabPage } from './lab-page.js';

const root = document.getElementById('root');
if (root === null) throw new Error('lab.html has lost its root element');
// Not in Strict Mode: its second mount would open every frame twice.
createRoot(root).render(<LabPage lab={createLab()} />);
