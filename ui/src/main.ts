import './style.css';
import { h, replace, visible } from './dom';
import { embedded } from './load';
import { report } from './report';
import { serve } from './served';
import { startState } from './state';

async function start(): Promise<void> {
  const page = document.getElementById('page');
  if (!page) return;
  try {
    startState();
    const found = await embedded();
    if (found) replace(page, ...report(found, { download: null }));
    else await serve(page);
    document.documentElement.dataset['ready'] = 'true';
  } catch (error) {
    replace(page, h('p', { class: 'alarm', role: 'alert' }, `This report cannot be shown: ${visible(String(error)).slice(0, 500)}`));
  }
}

void start();
