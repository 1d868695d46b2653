# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of a report in each language, English first. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from typing import Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportitems import ITEMS
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportstates import STATES

LOCALES = ("en", "pt_BR")
_TEXTS: Mapping[str, tuple[str, ...]] = {
    "not_measured": ("not measured", "não medido"),
    "not_on_record": ("not on record", "não consta"),
    "yes": ("yes", "sim"),
    "no": ("no", "não"),
    "none": ("none", "nenhum"),
    "open_field": ("(to be filled in)", "(a preencher)"),
    "incident": ("Incident", "Incidente"),
    "rehearsal": ("Rehearsal", "Ensaio"),
    "record": ("Incident record", "Registro do incidente"),
    "in_short": ("In short", "Em resumo"),
    "severity": ("Severity", "Severidade"),
    "scenario": ("Scenario", "Cenário"),
    "environment": ("Environment", "Ambiente"),
    "state": ("State", "Estado"),
    "operators": ("Operators", "Operadores"),
    "version": ("Version of the collection", "Versão da coleção"),
    "ledger": ("Ledger", "Registro no banco"),
    "opened": ("Opened", "Aberto"),
    "closed": ("Closed", "Encerrado"),
    "still_open": ("still open", "ainda aberto"),
    "not_read": ("not read; this comes from the journals alone", "não lido; isto vem apenas dos diários"),
    "objective": ("Objective (RTO)", "Objetivo (RTO)"),
    "met": ("met", "cumprido"),
    "missed": ("missed", "não cumprido"),
    "took_of": ("{took} of {limit}", "{took} de {limit}"),
    "recovery_point": ("Data loss (RPO)", "Perda de dados (RPO)"),
    "writes_after": ("{n} writes accepted after the fence", "{n} escritas aceitas após a barreira"),
    "no_writes_after": (
        "none: no write was accepted after the fence",
        "nenhuma: nenhuma escrita aceita após a barreira",
    ),
    "duration": ("Duration", "Duração"),
    "companies": ("Companies switched off", "Empresas desligadas"),
    "companies_of": ("{off} of {before} that had it, {total} in all", "{off} de {before} que tinham, {total} no total"),
    "at_least": ("at least {off}; not every database answered", "pelo menos {off}; nem todo banco respondeu"),
    "users": ("Affected users", "Usuários afetados"),
    "errors": ("Errors", "Erros"),
    "moments": ("When", "Quando"),
    "began": ("Began", "Início"),
    "detected": ("Detected", "Detectado"),
    "contained": ("Contained", "Contido"),
    "decided": ("Decided", "Decidido"),
    "validated": ("Validated on V1", "Validado em V1"),
    "recovery_began": ("Recovery began", "Recuperação iniciada"),
    "data_validated": ("Data validated", "Dados validados"),
    "released": ("Writes released", "Escritas liberadas"),
    "reenabled": ("V2 back on", "V2 religado"),
    "ended": ("Last run ended", "Fim da última execução"),
    "timeline": ("Timeline", "Linha do tempo"),
    "at": ("At (UTC)", "Hora (UTC)"),
    "phase": ("Phase", "Fase"),
    "host": ("Host", "Host"),
    "hosts_n": ("{n} hosts", "{n} hosts"),
    "what": ("What", "O quê"),
    "figures": ("Figures", "Números"),
    "failed": ("FAILED", "FALHOU"),
    "left_out": ("{n} more are not shown", "mais {n} não são mostrados"),
    "runs": ("Who ran what, from where", "Quem executou o quê, de onde"),
    "run": ("Run", "Execução"),
    "playbook": ("Playbook", "Playbook"),
    "operator": ("Operator", "Operador"),
    "from": ("From", "De"),
    "took": ("Took", "Levou"),
    "verdict": ("Verdict", "Veredito"),
    "plan": ("plan only", "apenas plano"),
    "journals": ("Journals", "Diários"),
    "journal": ("Journal", "Diário"),
    "holds": ("holds", "íntegro"),
    "broken": ("DOES NOT HOLD: {where}", "NÃO ÍNTEGRO: {where}"),
    "cut": ("holds, cut in its last line", "íntegro, cortado na última linha"),
    "no_journal": ("none, only the ledger's events", "nenhum, só os eventos do ledger"),
    "unended": ("holds, without its run's end", "íntegro, sem o fim da execução"),
    "lines": ("Lines", "Linhas"),
    "integrity": ("Data integrity, before and after", "Integridade dos dados, antes e depois"),
    "check": ("Check", "Verificação"),
    "before": ("Before", "Antes"),
    "after": ("After", "Depois"),
    "status": ("Status", "Situação"),
    "corrupt_rows": ("Corrupt rows, all checks", "Registros corrompidos, todas as verificações"),
    "records": ("Rows by table", "Registros por tabela"),
    "table": ("Table", "Tabela"),
    "repaired": ("Repaired", "Corrigidos"),
    "deleted": ("Into quarantine", "Em quarentena"),
    "restored": ("Restored", "Restaurados"),
    "metrics": ("Metrics against their thresholds", "Métricas e seus limites"),
    "metric": ("Metric", "Métrica"),
    "value": ("Value", "Valor"),
    "limit": ("Limit", "Limite"),
    "watched": ("Watched for", "Observado por"),
    "stages": ("Companies by stage of the return", "Empresas por etapa do retorno"),
    "stage": ("Stage", "Etapa"),
    "switched": ("Switched", "Alteradas"),
    "on_then": ("On then", "Ligadas então"),
    "had_it": ("Had it before", "Tinham antes"),
    "withdrawn": ("withdrawn", "desfeita"),
    "no_stages": ("V2 was not switched on again in this incident.", "V2 não foi religado neste incidente."),
    "decision": ("Decision path", "Caminho da decisão"),
    "question": ("Question", "Pergunta"),
    "answer": ("Answer", "Resposta"),
    "because": ("Because", "Porque"),
    "no_triage": (
        "No triage is on record: a person chose the playbook.",
        "Nenhuma triagem registrada: uma pessoa escolheu o playbook.",
    ),
    "matrix": ("Decision of scenario 2", "Decisão do cenário 2"),
    "playbooks": ("Playbooks, in their order", "Playbooks, na ordem"),
    "approvals": ("Approvals", "Aprovações"),
    "approved_by": (
        "{what} ({at}): approved by {approver}, done by {operator}",
        "{what} ({at}): aprovado por {approver}, executado por {operator}",
    ),
    "overrides": ("Refusals that were overridden", "Recusas que foram contornadas"),
    "messages": ("Messages, and what became of them", "Mensagens e o que foi feito delas"),
    "message": ("Message", "Mensagem"),
    "subject": ("Subject", "Assunto"),
    "route": ("Route", "Rota"),
    "tries": ("Tries", "Tentativas"),
    "error": ("Error", "Erro"),
    "no_messages": ("No message is on record.", "Nenhuma mensagem registrada."),
    "no_route": ("no route was configured", "nenhuma rota configurada"),
    "sent": ("sent", "enviada"),
    "pending": ("pending", "pendente"),
    "unknown": ("not known whether it arrived", "não se sabe se chegou"),
    "dry_run": ("dry run, not sent", "simulação, não enviada"),
    "kept": ("What was kept, and where", "O que foi guardado e onde"),
    "dump": ("Proven dump", "Dump comprovado"),
    "dump_on": ("{rows} rows below {path} on {hosts}", "{rows} registros abaixo de {path} em {hosts}"),
    "evidence": ("Evidence", "Evidências"),
    "below_on": ("below {path} on {hosts}", "abaixo de {path} em {hosts}"),
    "elsewhere": (
        "{path} on {host}, for its directory could not be written",
        "{path} em {host}, pois seu diretório não aceitou escrita",
    ),
    "nothing_kept": ("none on record", "nada registrado"),
    "words": ("In people's words", "Nas palavras das pessoas"),
    "no_words": (
        "Nothing is written in words.md yet.",
        "Ainda não há nada escrito em words.md.",
    ),
    "notes": ("What a reader has to know", "O que o leitor precisa saber"),
    "journal_broken": (
        "{journal} does not hold from {where} on; what stands behind it is not believed.",
        "{journal} não está íntegro a partir de {where}; o que vem depois não é considerado.",
    ),
    "journal_cut": (
        "{journal} is cut in its last line; what stands before it holds.",
        "{journal} está cortado na última linha; o que vem antes está íntegro.",
    ),
    "journal_unended": (
        "{journal} has no end of its run: it is under way, or was killed.",
        "{journal} não tem o fim da execução: está em andamento ou foi interrompida.",
    ),
    "journal_to_screen": (
        "{journal} ends with the last screen of its run: it comes from the ledger, or the run was killed after that.",
        "{journal} termina na última tela da execução: vem do ledger, ou a execução foi interrompida depois dela.",
    ),
    "journal_missing": (
        "No journal of run {journal} was read, here or from the ledger: its own events alone tell of it ({where}).",
        "Nenhum diário da execução {journal} foi lido, aqui ou do ledger: só se contam os eventos do ledger ({where}).",
    ),
    "ledger_tells": ("{journal} lacks {where} steps of the ledger.", "{journal} não tem {where} passos do ledger."),
    "steps_left_out": (
        "Of {journal} {where} steps are counted in the journal and left out here.",
        "De {journal}, {where} passos constam no diário e não aparecem aqui.",
    ),
    "detected_unread": (
        "When it was detected could not be read in {journal}: write date, time and zone, like {where}.",
        "Não foi possível ler em {journal} quando foi detectado: escreva data, hora e fuso, como {where}.",
    ),
    "label_missing": (
        "Not translated, so in English: {names}.",
        "Sem tradução, portanto em inglês: {names}.",
    ),
    "postmortem": ("Incident post-mortem", "Post-mortem do incidente"),
    "incident_id": ("Incident ID", "ID do incidente"),
    "root_cause": ("Root cause", "Causa raiz"),
    "what_happened": ("What happened", "O que aconteceu"),
    "went_well": ("What went well", "O que funcionou bem"),
    "improve": ("What could be improved", "O que pode melhorar"),
    "action_items": ("Action items", "Ações"),
    "owner": ("Owner", "Responsável"),
    "due": ("Due", "Prazo"),
    "well_objective": ("The objective was met: {took} of {limit}.", "O objetivo foi cumprido: {took} de {limit}."),
    "well_rpo": ("No write was accepted after the fence.", "Nenhuma escrita foi aceita após a barreira."),
    "well_dump": ("A proven dump was there before anything was repaired.", "Havia um dump comprovado antes do reparo."),
    "bad_objective": (
        "The objective was missed: {took} of {limit}.",
        "O objetivo não foi cumprido: {took} de {limit}.",
    ),
    "bad_rpo": ("{n} writes were accepted after the fence.", "{n} escritas foram aceitas após a barreira."),
    "bad_hosts": ("Not every host answered.", "Nem todo host respondeu."),
    "bad_unmeasured": ("Not measured: {names}.", "Não medido: {names}."),
    "generated": (
        "Blocks between markers are renewed by report.yml unless you change them; boxes that you tick stay ticked.",
        "Blocos entre marcadores são renovados por report.yml, a menos que você os altere; caixas marcadas permanecem.",
    ),
    "newer": (
        "You changed the block above, so it was left as it is. What report.yml would write now:",
        "Você alterou o bloco acima, então ele foi mantido. O que report.yml escreveria agora:",
    ),
    "timings": ("Timings", "Tempos"),
    "time_disable": ("Time to disable the feature flag", "Tempo para desligar a feature flag"),
    "time_verify": ("Time to verify", "Tempo para verificar"),
    "time_total": ("Total rollback time", "Tempo total do rollback"),
    "step": ("Step", "Passo"),
    "seconds": ("Seconds", "Segundos"),
    "to_scale": ("to scale; {n} rows", "em escala; {n} linhas"),
    "rows_left_out": ("{n} hosts are not drawn", "{n} hosts não desenhados"),
    "as_table": ("The same as a table", "O mesmo em tabela"),
    "contents": ("Contents", "Conteúdo"),
    "history": ("Incidents and rehearsals", "Incidentes e ensaios"),
    "trends": ("How long each step takes", "Quanto tempo leva cada passo"),
    "date": ("Date", "Data"),
    "median": ("Median", "Mediana"),
    "last": ("Last", "Último"),
    "worst": ("Worst", "Pior"),
    "count": ("Runs", "Execuções"),
    "trend": ("Trend", "Tendência"),
    "trend_title": ("{name}: last {n} runs, oldest first", "{name}: últimas {n} execuções, da mais antiga"),
    "kind": ("Kind", "Tipo"),
    "col_disable": ("Disable", "Desligar"),
    "col_verify": ("Verify", "Verificar"),
    "col_total": ("Total", "Total"),
    "no_history": ("Nothing is on record yet.", "Ainda não há nada registrado."),
    "green": ("green", "verde"),
    "not_green": ("not green", "não verde"),
    "contacts": ("Contacts", "Contatos"),
    "role": ("Role", "Função"),
    "primary": ("Primary", "Principal"),
    "secondary": ("Secondary", "Substituto"),
    "phone": ("Phone", "Telefone"),
    "no_contacts": (
        "kanban_contacts is empty. The roles of the plan:",
        "kanban_contacts está vazio. As funções do plano:",
    ),
    "role_oncall": ("On-Call Engineer", "Engenheiro de plantão"),
    "role_dba": ("DBA", "DBA"),
    "role_devops": ("DevOps Lead", "Líder de DevOps"),
    "role_cto": ("CTO", "CTO"),
    "role_product": ("Product Manager", "Gerente de produto"),
    "tools": ("Tools and links", "Ferramentas e links"),
    "dashboard": ("Metrics dashboard", "Painel de métricas"),
    "runbook": ("Runbook", "Runbook"),
    "checklists": ("Checklists", "Checklists"),
    "latched": ("{n} writes of the flag were turned back", "{n} escritas da flag foram revertidas"),
    "chain": ("Its chain of events", "Sua cadeia de eventos"),
}


class Labels:
    """The texts of one language; what it lacks is given in English and remembered in ``missing``."""

    def __init__(self, locale: str) -> None:
        """Set the language; an unknown one is replaced by English."""
        self.locale = locale if locale in LOCALES else "en"
        self.missing: set[str] = set() if locale in LOCALES else {locale}
        self._place = LOCALES.index(self.locale)

    @property
    def language(self) -> str:
        """The language as HTML names it."""
        return self.locale.replace("_", "-")

    def __call__(self, name: str, /, **values: object) -> str:
        """Return a text with its values filled in; an unknown name is returned as it is."""
        texts = _TEXTS.get(name) or ITEMS.get(name)
        if texts is None:
            self.missing.add(name)
            return name
        if len(texts) <= self._place:
            self.missing.add(name)
        text = texts[self._place] if len(texts) > self._place else texts[0]
        for key, value in values.items():
            text = text.replace(f"{{{key}}}", str(value))
        return text

    def word(self, answer: object) -> str:
        """Return the one-word answer of a module or playbook, in the language if a translation is known."""
        return STATES.get(self.locale, {}).get(str(answer), str(answer))

    def count(self, value: object, digits: int | None = None) -> str:
        """Return a number in the format of the language; anything that is not a number was not measured."""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return self("not_measured")
        text = f"{value:,}" if digits is None else f"{value:,.{digits}f}"
        return text if self.locale == "en" else text.replace(",", " ").replace(".", ",").replace(" ", ".")
