# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a report looks: light and dark, on paper, and on a phone. Pure: text alone.

Nothing is loaded from anywhere: no font, no picture, no script.
Each pair of colours has a contrast of 4.5 to 1 or more.
"""

from __future__ import annotations

STYLE = """
:root{color-scheme:light dark;--back:#f6f7f9;--card:#fff;--ink:#16202c;--soft:#4a5768;--line:#d5dbe3;--good:#0b6b3a;
--good-back:#e3f4ea;--bad:#a3161d;--bad-back:#fce8e8;--open:#6b4a00;--open-back:#fbf1d9;--link:#0b57a4;--bar:#2463a8;
--bar2:#7a4aa8;--track:#e6eaf0}
@media (prefers-color-scheme:dark){:root{--back:#10151c;--card:#18202a;--ink:#e9eef5;--soft:#aab6c5;--line:#334052;
--good:#7ddca6;--good-back:#12301f;--bad:#ff9a9a;--bad-back:#3a1719;--open:#f2cd7a;--open-back:#332708;--link:#8cc1ff;
--bar:#6aa9f0;--bar2:#c39af0;--track:#2a3543}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);overflow-wrap:break-word;
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
header,main,footer,nav{max-width:64rem;margin:0 auto;padding:0 1rem}
header{padding-top:1.5rem}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 .25rem}
h2{font-size:1.2rem;margin:0 0 .75rem}
h3{font-size:1rem;margin:1.25rem 0 .5rem}
a{color:var(--link)}
p{margin:.25rem 0 .75rem}
.soft{color:var(--soft)}
.skip{position:absolute;left:-999rem}
.skip:focus{position:static;display:inline-block;padding:.5rem 1rem}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.25rem 1rem;padding:0;margin:0 0 .75rem;font-size:.92rem}
nav a{display:inline-block;padding:.25rem 0}
section{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:1rem 1.1rem;margin:1rem 0}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(13rem,1fr));gap:.75rem;margin:.75rem 0;padding:0;
list-style:none}
.card{border:1px solid var(--line);border-left-width:.4rem;border-radius:.5rem;padding:.7rem .9rem;
background:var(--card)}
.card b{display:block;font-size:1.1rem;line-height:1.35}
.card.good{border-color:var(--good);background:var(--good-back)}.card.good b{color:var(--good)}
.card.bad{border-color:var(--bad);background:var(--bad-back)}.card.bad b{color:var(--bad)}
.card.open{border-color:var(--open);background:var(--open-back)}.card.open b{color:var(--open)}
.good-text{color:var(--good);font-weight:600}.bad-text{color:var(--bad);font-weight:600}
.open-text{color:var(--open);font-weight:600}
table{border-collapse:collapse;width:100%;font-size:.92rem}
caption{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
th,td{text-align:left;vertical-align:top;padding:.4rem .6rem;border-top:1px solid var(--line)}
thead th{border-top:0;color:var(--soft);font-weight:600}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
.w,dd,li,blockquote{overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:minmax(9rem,15rem) 1fr;gap:.3rem 1rem;margin:0}
dt{color:var(--soft)}dd{margin:0}
blockquote{margin:.25rem 0 1rem;padding:.1rem 0 .1rem .9rem;border-left:.25rem solid var(--line);white-space:pre-wrap}
details{margin:.5rem 0}
summary{cursor:pointer;padding:.3rem 0;font-weight:600}
svg{display:block;width:100%;overflow:hidden;margin:.25rem 0 .5rem}
svg text{fill:var(--ink);font:12px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
svg .axis{fill:var(--soft);font-size:11px}
svg .track{fill:var(--track)}svg .bar{fill:var(--bar)}svg .bar2{fill:var(--bar2)}svg .bad{fill:var(--bad)}
svg .grid{stroke:var(--line)}svg .spark{fill:none;stroke:var(--bar);stroke-width:2}svg .dot{fill:var(--bar)}
svg.small{width:9rem;height:2rem;margin:0}
footer{color:var(--soft);padding-bottom:2rem;font-size:.9rem}
@media (max-width:40rem){body{overflow-wrap:anywhere}
h1{font-size:1.3rem}section{padding:.8rem}
dl{grid-template-columns:1fr;gap:0}dt{margin-top:.5rem}
table,tbody,tr,td,tbody th{display:block}
thead{position:absolute;left:-999rem}
tr{border-top:1px solid var(--line);padding:.4rem 0}
td,tbody th,td.n{border:0;padding:.1rem 0;text-align:left}
td[data-label]::before{content:attr(data-label) ": ";color:var(--soft)}
td:empty{display:none}}
@media print{:root{color-scheme:light;--back:#fff;--card:#fff;--ink:#000;--soft:#333;--line:#999;--good:#0b6b3a;
--good-back:#fff;--bad:#a3161d;--bad-back:#fff;--open:#6b4a00;--open-back:#fff;--link:#000;--bar:#2463a8;--bar2:#7a4aa8;
--track:#e6eaf0}
body{font-size:11pt}nav,.skip{display:none}section{border:0;padding:0;margin:.8rem 0;break-inside:auto}
h2,h3{break-after:avoid}tr,svg,.card{break-inside:avoid}
details::details-content{content-visibility:visible!important;display:block!important;height:auto!important}}
"""
