//! The page in a real browser: it follows a job without being loaded again, and shows names as they are.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::common::capabilities::chromium::ChromiumLikeCapabilities;
use thirtyfour::{DesiredCapabilities, LoggingPrefsLogLevel, WebDriver};
use tokio::runtime::{Builder, Runtime};
use trc2npy_synth::RunSpec;
use trc2npy_tests::{poll, usable};

use crate::common::Watched;

const EVIL: &str = "<img src=x onerror=alert(1)>";

/// A browser without a window, with a profile of its own; both end with this.
struct Browser {
    driver: Option<WebDriver>,
    runtime: Runtime,
    chromedriver: Child,
    _profile: TempDir,
}

impl Browser {
    /// None where there is no browser here; that is said.
    fn start() -> Option<Self> {
        let there = usable("chromium", ["--version"]) && usable("chromedriver", ["--version"]);
        if !there {
            eprintln!("LEFT OUT: the status page is not looked at (Debian: apt install chromium chromium-driver)");
            return None;
        }
        let profile = TempDir::new().unwrap();
        let mut chromedriver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(chromedriver.stdout.take().unwrap()).lines();
        let port = lines.map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        let mut wanted = DesiredCapabilities::chrome();
        let profile_folder = format!("--user-data-dir={}", profile.path().display());
        for word in [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            &profile_folder,
        ] {
            wanted.add_arg(word).unwrap();
        }
        wanted.set_logging_prefs("browser", LoggingPrefsLogLevel::All).unwrap();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let address = format!("http://127.0.0.1:{}", port.expect("chromedriver says its port"));
        let mut browser = Self {
            driver: None,
            runtime,
            chromedriver,
            _profile: profile,
        };
        let driver = browser.runtime.block_on(WebDriver::new(address, wanted)).unwrap();
        browser.driver = Some(driver);
        Some(browser)
    }

    fn driver(&self) -> &WebDriver {
        self.driver.as_ref().unwrap()
    }

    fn open(&self, address: &str) {
        self.runtime.block_on(self.driver().goto(address)).unwrap();
    }

    /// What a piece of script returns.
    fn tells(&self, script: &str) -> Value {
        let told = self
            .runtime
            .block_on(self.driver().execute(script, Vec::new()))
            .unwrap();
        told.json().clone()
    }

    /// What a person reads.
    fn text(&self) -> String {
        let text = self.tells("return document.body.innerText");
        text.as_str().unwrap().to_owned()
    }

    fn until(&self, text: &str) {
        let seen = || self.text().contains(text).then_some(());
        poll(format_args!("{text:?} on the page"), seen);
    }

    fn until_first_traces(&self) {
        poll("the first traces", || {
            let seen = self.tells("return document.querySelectorAll('img[src*=\"first.svg\"]').length");
            (seen.as_u64() > Some(0)).then_some(())
        });
    }

    fn devtools(&self, method: &str, words: Value) {
        let cdp = self.driver().cdp();
        self.runtime.block_on(cdp.send_raw(method, words)).unwrap();
    }

    /// As wide as asked, as high as the page is. Where it lies.
    fn picture(&self, name: &str, width: u32, scheme: &str) -> PathBuf {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features }));
        let size =
            |height: u64| json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.devtools("Emulation.setDeviceMetricsOverride", size(900));
        self.tells("document.querySelectorAll('img').forEach((image) => { image.loading = 'eager'; })");
        poll("all pictures", || {
            let all = self.tells(
                "return [...document.images].filter((image) => image.closest('details')?.open ?? true)\
                 .every((image) => image.complete && image.naturalWidth > 0)",
            );
            (all == true).then_some(())
        });
        let widest = self.tells("return document.documentElement.scrollWidth");
        assert!(
            widest.as_u64().unwrap() <= u64::from(width),
            "{name}: {widest} wide, {width} there"
        );
        let height = self
            .tells("return document.documentElement.scrollHeight")
            .as_u64()
            .unwrap();
        self.devtools("Emulation.setDeviceMetricsOverride", size(height.min(6000)));
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("page");
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("{name}-{width}-{scheme}.png"));
        self.runtime.block_on(self.driver().screenshot(&path)).unwrap();
        path
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(driver) = self.driver.take() {
            let _ = self.runtime.block_on(driver.quit());
        }
        // Asked, it ends whatever it has started.
        if let Some(pid) = i32::try_from(self.chromedriver.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.chromedriver.wait();
    }
}

#[test]
fn a_browser_follows_a_job_and_shows_every_name_as_text() {
    let Some(browser) = Browser::start() else { return };
    let spec = RunSpec {
        channels: vec![1, 2],
        bad: vec!["truncated:2".parse().unwrap()],
        name: format!("C{{c}}--{EVIL}--{{i:05}}.trc").parse().unwrap(),
        ..RunSpec::new(400, 2000)
    };
    let watched = Watched::new(&spec);
    browser.open(&format!("http://{}/", watched.page));
    browser.until("Live");
    browser.until("Nothing was submitted yet.");
    // Gone if the page were loaded again.
    browser.tells("window.loadedOnce = true");
    watched.submit("npy");
    browser.until("0 of 800 rows (0 %)");
    let victim = watched.cluster.start_worker("pc1");
    let done = watched.rows_beyond(10);
    assert!(done < 800, "it is done already");
    victim.kill();
    browser.until("worker pc1 is lost");
    browser.until("No worker is connected.");
    browser.until_first_traces();
    let worker = watched.cluster.start_worker(EVIL);
    browser.until(&format!("worker {EVIL} has come"));
    // Before its size and colours change: then a browser looks anew which pictures suit it.
    let twice = browser.tells(
        "const all = performance.getEntriesByType('resource').map((one) => one.name).filter((name) => name.includes('/jobs/'));\
         return all.filter((name, at) => all.indexOf(name) !== at)",
    );
    assert_eq!(twice, json!([]), "what does not change is fetched once");
    browser.picture("running", 1280, "light");
    browser.until("job 1: done");
    browser.until("800 of 800 rows (100 %), 2 bad");
    let text = browser.text();
    for name in [format!("--{EVIL}--"), format!("worker {EVIL} has come")] {
        assert!(text.contains(&name), "{name} is not in\n{text}");
    }
    let images = browser.tells("return [...document.images].filter((one) => one.getAttribute('src') === 'x').length");
    assert_eq!(images, 0);
    assert_eq!(browser.tells("return window.loadedOnce"), true);
    browser.until("triggers a second");
    for (width, scheme) in [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")] {
        browser.picture("done", width, scheme);
    }
    // What a person has folded stays so, whatever comes.
    browser.tells("document.querySelector('details.pictures').open = false");
    worker.kill();
    browser.until(&format!("worker {EVIL} is lost"));
    assert_eq!(
        browser.tells("return document.querySelector('details.pictures').open"),
        false
    );
    let log = browser.runtime.block_on(browser.driver().browser_log()).unwrap();
    assert!(log.is_empty(), "{log:?}");
}

/// A picture's bytes with at most 256 colours, the commonest that do not look alike: a browser writes three times as many.
fn smaller(path: &Path) -> Vec<u8> {
    let file = BufReader::new(File::open(path).unwrap());
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let read = reader.next_frame(&mut pixels).unwrap();
    let pixels = pixels.chunks_exact(read.color_type.samples());
    let pixels: Vec<[u8; 3]> = pixels.map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    let mut counts = BTreeMap::<_, u32>::new();
    for pixel in &pixels {
        *counts.entry(*pixel).or_default() += 1;
    }
    let mut colours: Vec<_> = counts.keys().copied().collect();
    colours.sort_by_key(|colour| Reverse(counts[colour]));
    let far = |one: &[u8; 3], other: &[u8; 3]| (0..3).map(|i| u32::from(one[i].abs_diff(other[i])).pow(2)).sum::<u32>();
    let mut palette: Vec<[u8; 3]> = Vec::new();
    for colour in &colours {
        if palette.len() < 256 && palette.iter().all(|other| far(colour, other) > 100) {
            palette.push(*colour);
        }
    }
    let nearest = |colour| {
        let all = (0..=255).zip(&palette);
        all.min_by_key(|(_, other)| far(colour, other)).unwrap().0
    };
    let near: BTreeMap<_, u8> = colours.iter().map(|colour| (*colour, nearest(colour))).collect();
    let indices: Vec<u8> = pixels.iter().map(|pixel| near[pixel]).collect();
    let mut packed = Vec::new();
    let mut encoder = png::Encoder::new(&mut packed, read.width, read.height);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(palette.concat());
    encoder.set_compression(png::Compression::High);
    encoder.set_filter(png::Filter::NoFilter);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&indices).unwrap();
    writer.finish().unwrap();
    packed
}

/// Those of docs/watching.md: a job in the middle of its work, with names as a lab has them.
#[test]
fn the_pictures_of_the_documentation_are_made() {
    let Some(browser) = Browser::start() else { return };
    let spec = RunSpec {
        bad: vec!["truncated:5".parse().unwrap()],
        ..RunSpec::new(1000, 2000)
    };
    let watched = Watched::new(&spec);
    browser.open(&format!("http://{}/", watched.page));
    watched.submit("npy");
    let mut workers = ["scope1", "lab2"].map(|name| watched.cluster.start_worker(name));
    watched.rows_beyond(200);
    // What is seen shall stay until all pictures are there.
    for worker in &mut workers {
        assert!(worker.stop());
    }
    browser.until_first_traces();
    for (name, width, scheme) in [
        ("status-page-light", 1100, "light"),
        ("status-page-dark", 1100, "dark"),
        ("status-page-phone", 390, "light"),
    ] {
        let path = browser.picture(name, width, scheme);
        let small = smaller(&path);
        let (size, name) = (small.len(), format!("{name}.png"));
        assert!(size < 200_000, "{name}: {size} bytes are much for a page");
        std::fs::write(path.with_file_name(name), small).unwrap();
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_token_in_the_address_is_asked_for_once_and_not_left_there() {
    const TOKEN: &str = "a-token-of-25-characters-";
    let Some(browser) = Browser::start() else { return };
    let watched = Watched::with(&RunSpec::new(2, 50), |folder| {
        let file = folder.join("token");
        std::fs::write(&file, TOKEN).unwrap();
        vec!["--http-token-file".to_owned(), file.display().to_string()]
    });
    browser.open(&format!("http://{}/?token={TOKEN}", watched.page));
    browser.until("Live");
    let address = browser.tells("return location.href");
    assert_eq!(address, format!("http://{}/", watched.page));
    assert_eq!(browser.tells("return document.cookie"), "", "scripts do not see it");
    browser.open(&format!("http://{}/", watched.page));
    browser.until("Live");
    let log = browser.runtime.block_on(browser.driver().browser_log()).unwrap();
    assert!(log.is_empty(), "{log:?}");
}
