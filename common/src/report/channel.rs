//! The part of the page that concerns one channel.

use super::ChannelReport;
use super::histogram::Histogram;
use super::html::{Head, Html};
use super::page::unit_of_time;
use super::svg::{Along, Chart, around, from_zero};
use crate::inspect::second;
use crate::preview::Trace;
use crate::readable::{date, si};
use crate::trc::Field;
use crate::units::{count, counted};

/// Traces that are told apart although they lie one over another.
const FEW: usize = 12;

/// A channel, from its facts to its pictures.
pub(super) fn section(html: &mut Html, channel: &ChannelReport, id: &str) {
    let what = &channel.description;
    html.markup("<section>");
    html.heading("h2", id, &format!("{}: {}", what.channel, channel.file));
    html.facts("What it is", &facts(channel));
    if channel.numbers.good() == 0 {
        html.element("p", "No row is good: there is nothing to draw.");
    } else {
        html.markup("<div class=\"pictures\">");
        traces(html, channel);
        spread(html, channel);
        drift(html, channel);
        triggers(html, channel);
        html.markup("</div>");
        gaps(html, channel);
    }
    changes(html, channel);
    html.markup("</section>");
}

/// The unit of the instrument's vertical axis.
fn unit(channel: &ChannelReport) -> &str {
    let unit = channel.description.fields.get(Field::VertUnit.name());
    unit.and_then(|unit| unit.as_str()).unwrap_or_default()
}

fn facts(channel: &ChannelReport) -> Vec<(String, String)> {
    let what = &channel.description;
    let numbers = &channel.numbers;
    let mut facts = Vec::new();
    let mut add = |name: &str, fact: String| facts.push((name.to_owned(), fact));
    let field = |field: Field| what.fields.get(field.name());
    add("run", what.run.clone());
    add("instrument", what.instrument.clone());
    add(
        "sample interval",
        si(what.sample_interval, second(&what.sample_interval_unit)),
    );
    if let Some(coupling) = field(Field::VertCoupling).and_then(|coupling| coupling.as_str()) {
        add("coupling", coupling.to_owned());
    }
    add(
        "good rows",
        format!("{} of {}", count(numbers.good()), count(what.rows())),
    );
    add(
        "samples of a row",
        if what.samples() == what.whole_record() {
            count(what.samples().into())
        } else {
            let end = what.first_sample + what.samples();
            format!(
                "{}: {}:{end} of {}",
                count(what.samples().into()),
                what.first_sample,
                count(what.whole_record().into())
            )
        },
    );
    if let Some(triggers) = &numbers.triggers {
        add(
            "triggered",
            format!("from {} to {}", date(triggers.first), date(triggers.last)),
        );
        if let Some(median) = triggers.median {
            add("from one trigger to the next (median)", si(median as f64 / 1e9, "s"));
        }
        if triggers.backwards > 0 {
            add("rows earlier than the row before", count(triggers.backwards));
        }
    }
    add(
        "clipped",
        match &numbers.clipping {
            None => "not known: the header names no MIN_VALUE and MAX_VALUE".to_owned(),
            Some(clipping) => {
                let first = clipping.first.map(|row| format!(", the first is row {}", count(row)));
                format!(
                    "{} of {} reach an end of the converter (MIN_VALUE, MAX_VALUE of the first good file){}",
                    count(clipping.rows),
                    counted(numbers.good(), "good row"),
                    first.unwrap_or_default()
                )
            }
        },
    );
    if !what.varying_fields.is_empty() {
        let names: Vec<String> = what.varying_fields.iter().map(|field| field.to_string()).collect();
        add("differ from file to file", names.join(", "));
    }
    add("first good file", what.reference_file.clone());
    facts
}

fn horizontal(channel: &ChannelReport) -> (&str, &'static str) {
    let unit = second(&channel.description.sample_interval_unit);
    match (channel.traces.has_times(), unit) {
        (false, _) => ("", "sample"),
        (true, "s") => (unit, "time"),
        (true, "Hz") => (unit, "frequency"),
        (true, _) => (unit, "horizontal"),
    }
}

/// From the first sample of some traces to the last.
fn ends(traces: &[&Trace]) -> (f64, f64) {
    let both = |trace: &&Trace| {
        let last = f64::from(trace.samples.saturating_sub(1));
        [trace.offset, trace.offset + last * trace.interval]
    };
    let all = traces.iter().flat_map(both);
    all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), at| {
        (low.min(at), high.max(at))
    })
}

fn chart_of(channel: &ChannelReport, traces: &[&Trace]) -> Option<Chart> {
    let points = traces.iter().flat_map(|trace| &trace.points);
    let vertical = around(points.map(|point| f64::from(point.value)))?;
    Some(chart_between(channel, ends(traces), vertical))
}

fn chart_between(channel: &ChannelReport, across: (f64, f64), vertical: (f64, f64)) -> Chart {
    let (x_unit, x_name) = horizontal(channel);
    let x = Along {
        ends: across,
        unit: x_unit,
        name: x_name,
    };
    let y = Along {
        ends: vertical,
        unit: unit(channel),
        name: level(channel),
    };
    Chart::new(&x, &y)
}

/// What the samples are: with the baseline taken off or not.
fn level(channel: &ChannelReport) -> &'static str {
    if channel.description.options.baseline.points > 0 {
        "above the baseline"
    } else {
        "level"
    }
}

fn draw(chart: &mut Chart, class: &str, trace: &Trace) {
    chart.line(
        class,
        trace.points.iter().map(|point| (trace.at(*point), point.value.into())),
    );
}

fn traces(html: &mut Html, channel: &ChannelReport) {
    let all: Vec<&Trace> = channel.traces.overlaid.iter().collect();
    let Some(mut chart) = chart_of(channel, &all) else {
        html.element("p", "The rows that were read hold no number that can be drawn.");
        return;
    };
    let class = if all.len() > FEW { "many" } else { "few" };
    for trace in &all {
        draw(&mut chart, class, trace);
    }
    let told = format!(
        "{} of {}, spread evenly over the run, one over another.",
        counted(all.len() as u64, "trace"),
        count(channel.numbers.good())
    );
    html.figure(|number| chart.finish(number, "Traces", &told), &told);

    let columns = &channel.traces.columns;
    let vertical = around(columns.iter().flat_map(|column| [column.band.low, column.band.high]));
    let across = ends(&all);
    if let Some(vertical) = vertical {
        let mut chart = chart_between(channel, across, vertical);
        let band: Vec<_> = columns
            .iter()
            .map(|column| (column.at, column.band.low, column.band.high))
            .collect();
        chart.band("band", &band);
        chart.line("line", columns.iter().map(|column| (column.at, column.band.mean)));
        let told = format!(
            "Mean of {} of {}, spread evenly over the run, and the band in which 90 % of them lie at each place.",
            counted(channel.traces.rows, "row"),
            count(channel.numbers.good())
        );
        html.figure(|number| chart.finish(number, "Mean trace", &told), &told);
    }

    if let (Some(first), Some(last)) = (all.first(), all.last())
        && first.row != last.row
        && let Some(mut chart) = chart_of(channel, &[first, last])
    {
        draw(&mut chart, "line", first);
        draw(&mut chart, "other", last);
        let told = format!(
            "The first good trace, row {} (a whole line), and the last one, row {} (dashed).",
            count(first.row),
            count(last.row)
        );
        html.figure(|number| chart.finish(number, "First and last trace", &told), &told);
    }
}

fn spread(html: &mut Html, channel: &ChannelReport) {
    let numbers = &channel.numbers;
    match &numbers.baselines {
        Some(baselines) => histogram(html, channel, baselines, ["Baselines", "baseline"]),
        None => html.element(
            "p",
            "No baseline was asked for (--baseline), so there are none to show.",
        ),
    }
    if let Some(amplitudes) = &numbers.amplitudes {
        histogram(
            html,
            channel,
            amplitudes,
            ["Amplitudes", "largest minus smallest sample"],
        );
    }
}

fn histogram(html: &mut Html, channel: &ChannelReport, histogram: &Histogram, [title, name]: [&str; 2]) {
    let bins = histogram.counts.len();
    let edges = |bin: usize| (histogram.edge(bin), histogram.edge(bin + 1));
    let (low, high) = (histogram.edge(0), histogram.edge(bins));
    let unit = unit(channel);
    let room = around([low, high].into_iter()).unwrap_or((low, high));
    let x = Along { ends: room, unit, name };
    let y = Along {
        ends: from_zero(histogram.counts.iter().map(|count| *count as f64)),
        unit: "",
        name: "rows",
    };
    let mut chart = Chart::new(&x, &y);
    // All values equal: a bar of no width would not be seen.
    let hair = if low < high { 0.0 } else { (room.1 - room.0) / 40.0 };
    chart.bars(histogram.counts.iter().enumerate().map(|(bin, count)| {
        let (from, to) = edges(bin);
        (from - hair, to + hair, *count as f64)
    }));
    let told = format!(
        "{} of {}: from {} to {}, mean {}.",
        title,
        counted(histogram.values(), "good row"),
        si(low, unit),
        si(high, unit),
        si(histogram.mean(), unit)
    );
    let heads = [Head::Text("from"), Head::Text("to"), Head::Number("rows")];
    let rows = histogram.counts.iter().enumerate().map(|(bin, rows)| {
        let (from, to) = edges(bin);
        vec![si(from, unit), si(to, unit), count(*rows)]
    });
    html.figure_with(
        |number| chart.finish(number, title, &told),
        &told,
        |html| html.details("The same in numbers", |html| html.table(title, &heads, rows)),
    );
}

fn drift(html: &mut Html, channel: &ChannelReport) {
    let columns: Vec<_> = channel.numbers.drift.columns().collect();
    let Some(vertical) = around(columns.iter().flat_map(|column| [column.low, column.high])) else {
        return;
    };
    let rows = channel.description.rows();
    let x = Along {
        ends: (0.0, rows.saturating_sub(1) as f64),
        unit: "",
        name: "row",
    };
    let y = Along {
        ends: vertical,
        unit: unit(channel),
        name: "baseline",
    };
    let mut chart = Chart::new(&x, &y);
    let band: Vec<_> = columns
        .iter()
        .map(|column| (column.row as f64, column.low, column.high))
        .collect();
    chart.band("band", &band);
    chart.line("line", columns.iter().map(|column| (column.row as f64, column.mean())));
    let told = if columns.len() as u64 == channel.numbers.good() {
        "The baseline of each good row.".to_owned()
    } else {
        "The baselines along the rows: their mean, and from the smallest to the largest.".to_owned()
    };
    html.figure(|number| chart.finish(number, "Baseline drift", &told), &told);
}

fn triggers(html: &mut Html, channel: &ChannelReport) {
    let Some(triggers) = &channel.numbers.triggers else {
        html.element("p", "No row has a trigger time.");
        return;
    };
    if triggers.first == triggers.last {
        html.element("p", "All rows have the same trigger time: there is no rate to show.");
        return;
    }
    let parts = triggers.counts.len() as f64;
    let (span, width) = (triggers.seconds(), triggers.seconds() / parts);
    let (scale, unit) = unit_of_time(span);
    let name = format!("time since the first trigger ({unit})");
    let rates = || triggers.counts.iter().map(|count| *count as f64 / width);
    let x = Along {
        ends: (0.0, span * scale),
        unit: "",
        name: &name,
    };
    let y = Along {
        ends: from_zero(rates()),
        unit: "Hz",
        name: "rate",
    };
    let mut chart = Chart::new(&x, &y);
    let since = |ns: i64| ns.abs_diff(triggers.first) as f64 / 1e9 * scale;
    for gap in triggers.listed() {
        let from = since(gap.from);
        chart.span(from, from + gap.length as f64 / 1e9 * scale);
    }
    let corners = rates().enumerate().flat_map(|(part, rate)| {
        let from = part as f64 * width * scale;
        [(from, rate), (from + width * scale, rate)]
    });
    chart.line("line", corners);
    let gaps = match triggers.gaps {
        0 => "no gaps".to_owned(),
        some => format!("{}, shaded", counted(some, "gap")),
    };
    let told = format!(
        "Good rows a second by the instrument's clock, {} on average; {gaps}.",
        si(channel.numbers.good().saturating_sub(1) as f64 / span, "Hz")
    );
    html.figure(|number| chart.finish(number, "Trigger rate", &told), &told);
}

fn gaps(html: &mut Html, channel: &ChannelReport) {
    let Some(triggers) = channel.numbers.triggers.as_ref().filter(|triggers| triggers.gaps > 0) else {
        return;
    };
    let listed = triggers.listed();
    let all = if listed.len() as u64 == triggers.gaps {
        String::new()
    } else {
        format!(", the longest {} of {}", listed.len(), count(triggers.gaps))
    };
    let caption = format!("Gaps between triggers, longer than 10 times the median interval{all}");
    let heads = [
        Head::Text("from"),
        Head::Number("seconds"),
        Head::Number("row behind it"),
    ];
    let rows = listed.iter().map(|gap| {
        vec![
            date(gap.from),
            format!("{:.3}", gap.length as f64 / 1e9),
            count(gap.row),
        ]
    });
    html.table(&caption, &heads, rows);
}

fn changes(html: &mut Html, channel: &ChannelReport) {
    for (changes, files) in channel.numbers.changes.iter().zip(&channel.changed_at) {
        let more = if changes.count > changes.listed.len() as u64 {
            format!(", the first {} of {}", changes.listed.len(), count(changes.count))
        } else {
            String::new()
        };
        let heads = [
            Head::Text("from file"),
            Head::Number("row"),
            Head::Number("before"),
            Head::Number("after"),
        ];
        let rows = changes.listed.iter().zip(files).map(|(change, file)| {
            vec![
                file.clone(),
                count(change.row),
                format!("{:e}", change.before),
                format!("{:e}", change.after),
            ]
        });
        html.table(&format!("Changes of {}{more}", changes.setting), &heads, rows);
    }
}
