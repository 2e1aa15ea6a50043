//! `export reg` and `export gpo`: a plan as files for whoever brings the values to the hosts.

use std::fs;
use std::io;
use std::path::Path;

use crate::cli::console::Console;
use crate::cli::plan;
use crate::cli::prepare::prepare;
use crate::cli::request::Channel;
use crate::cli::request::ExportRequest;
use crate::cli::show;
use crate::cli::stop::Stop;
use crate::error::Exit;
use crate::export::file::ExportError;
use crate::export::file::File;
use crate::export::gpo;
use crate::export::reg;
use crate::model::plan::Plan;

/// The sealed plan beside the files, for `verify`.
const PLAN: &str = "plan.rmsplan";

pub fn run(request: &ExportRequest, console: &mut Console) -> Result<Exit, Stop> {
    let plan = if let Some(file) = &request.file {
        show::open(file)?.plan
    } else {
        let runtime = crate::cli::runtime()?;
        let made = runtime.block_on(prepare(&request.plan, console));
        runtime.shutdown_background();
        made?.plan
    };
    let digest =
        crate::plan::seal::digest(&plan).map_err(|error| Stop::because(Exit::Internal, &error))?;
    if let Some(blocker) = plan.blockers.first() {
        let text = format!("the plan has findings that keep it from being used: {}", blocker.text);
        return Err(Stop::new(Exit::Blocked, text));
    }
    let made = match request.channel {
        Channel::Reg => reg::files(&plan, &digest),
        Channel::Gpo => gpo::files(&plan, &digest),
    };
    let mut files = made.map_err(|error| stop(&error))?;
    files.push(File {
        name: PLAN.to_owned(),
        bytes: plan::seal(&plan)?,
        about: "the sealed plan, for verify".to_owned(),
    });
    save(&request.out, &files)?;
    for file in &files {
        console
            .did("Wrote", &format!("{}  {}", request.out.join(&file.name).display(), file.about))?;
    }
    left_out(&plan, console)?;
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let body = serde_json::json!({ "plan_sha256": digest, "folder": request.out, "files": names });
    console.document("export", &format!("{} files", files.len()), body)?;
    console.next(&format!("rmsfleet verify {}", request.out.join(PLAN).display()))?;
    Ok(plan::exit(&plan, false))
}

fn left_out(plan: &Plan, console: &mut Console) -> Result<(), Stop> {
    for host in plan.hosts.values().filter(|host| host.is_blocked()) {
        let why = host.blockers.first().map_or("", |blocker| blocker.text.as_str());
        console.did("Left out", &format!("{}: {why}", host.name))?;
    }
    Ok(())
}

/// Into a folder of its own: files of two plans side by side would be mixed up.
fn save(folder: &Path, files: &[File]) -> Result<(), Stop> {
    let fail = |path: &Path| {
        let doing = format!("`{}` cannot be written", path.display());
        move |error: io::Error| Stop::because(Exit::Data, &error).while_doing(doing)
    };
    fs::create_dir_all(folder).map_err(fail(folder))?;
    if fs::read_dir(folder).map_err(fail(folder))?.next().is_some() {
        let text = format!("`{}` is not empty", folder.display());
        return Err(Stop::new(Exit::Data, text).hint("name a folder that is not there yet"));
    }
    for file in files {
        let path = folder.join(&file.name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(fail(parent))?;
        }
        fs::write(&path, &file.bytes).map_err(fail(&path))?;
    }
    Ok(())
}

fn stop(error: &ExportError) -> Stop {
    let exit = match error {
        ExportError::Name { .. }
        | ExportError::Data { .. }
        | ExportError::Absent { .. }
        | ExportError::Variant { .. } => Exit::Data,
        ExportError::Nothing => Exit::NoMatch,
    };
    Stop::because(exit, error)
}
