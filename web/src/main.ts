import "@oriel/desktop";
import "./app.js";
