// Starts every island on a page. Each looks for its own attributes, and does nothing where there are none.
import { startLive } from "./live.js";
import { startMoments } from "./moments.js";
import { startDialogs } from "./dialogs.js";
import { startNotices } from "./notices.js";
import { startTheme } from "./theme.js";
import { startKeyboard } from "./keyboard.js";
import { startForms } from "./forms.js";
import { startFiles } from "./files.js";
import { startLog } from "./log.js";
import { startPasskeys } from "./passkeys.js";
import { startTable } from "./table.js";
import { startDrop } from "./drop.js";
import { startDrafts } from "./drafts.js";

startNotices();
startTheme();
startDialogs();
startMoments();
startKeyboard();
startFiles();
startForms();
startTable();
startDrop();
startDrafts();
startLive();
startLog();
startPasskeys();
document.documentElement.dataset.started = "yes";
