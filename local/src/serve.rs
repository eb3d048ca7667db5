//! `serve`: the stack and the gateway until Ctrl-C.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use admin::project::ExposeSecret as _;
use anstyle::{AnsiColor, Style};
use put_image::config::Config;

use crate::cli::{Serve, command};
use crate::clients::Endpoints;
use crate::stack::{Data, Stack, Taken};
use crate::{Error, docker, page, server};

const BOLD: Style = Style::new().bold();
const LINK: Style = AnsiColor::Cyan.on_default();

/// Serves until Ctrl-C.
pub async fn run(options: Serve, data: PathBuf) -> Result<(), Error> {
    let bridge = if options.docker {
        docker::bridge().await?
    } else {
        None
    };
    let gateway = server::bind(options.port, "the gateway", "--port").await?;
    let page = server::bind(options.page_port, "the page", "--page-port").await?;
    let Taken::Ours(data) = Data::take(&data).await? else {
        let running = format!(
            "another local stack runs over the folder {}: end it, or choose another folder with --data",
            data.display()
        );
        return Err(running.into());
    };
    let folder = data.folder.clone();
    let (port, flag) = (options.dynamodb_port, "--dynamodb-port");
    let dynamodb = server::bind_all(port, bridge, "DynamoDB", flag).await?;
    let s3 = server::bind_all(options.s3_port, bridge, "S3", "--s3-port").await?;
    let stack = Stack::start(dynamodb, s3, data, options.fresh).await?;
    // The greeting shows the demo's key.
    let records = stack.endpoints.records(stack.config.clone());
    stack.records.restore_keys(&records).await?;
    stack.lend()?;
    let api = Arc::new(stack.gateway()?.with_log());
    let url = server::url(&gateway)? + api.path();
    let listens = match (options.docker, bridge) {
        (false, _) => "127.0.0.1 only",
        (true, Some(bridge)) => {
            &format!("127.0.0.1; DynamoDB and S3 also {bridge}, for containers")
        }
        (true, None) => "127.0.0.1 only, which Docker Desktop's containers reach",
    };
    greet(&url, &server::url(&page)?, listens, &stack, &folder);
    if options.docker {
        anstream::println!(
            "{BOLD}Or run the function in a container:{BOLD:#}

  sam build
  sam local invoke -e events/put-image.json
  sam local start-api
"
        );
    }
    tokio::select! {
        ended = page::serve(page, &stack, Arc::clone(&api), &url) => ended,
        never = api.serve(gateway) => match never {},
        signal = tokio::signal::ctrl_c() => Ok(signal?),
    }
}

fn greet(url: &str, page: &str, listens: &str, stack: &Stack, folder: &Path) {
    // The sample records have at least one of each.
    let project = &stack.records.projects[0];
    let submission = &stack.records.submissions[0].submission_id;
    let key = project.api_key.expose_secret();
    // In lower case as in the README: any ASCII case will do.
    let admin = project.admins[0].to_ascii_lowercase();
    let Config {
        projects_table,
        submissions_table,
        images_bucket,
    } = &stack.config;
    let Endpoints { dynamodb, s3 } = &stack.endpoints;
    // Colors are for terminals: anstream leaves them out elsewhere.
    anstream::println!(
        "{BOLD}PUT /Image{BOLD:#} on this machine; Ctrl-C ends it

  API       {LINK}{url}{LINK:#}
  page      {LINK}{page}{LINK:#}  send images and see what is stored
  DynamoDB  {LINK}{dynamodb}{LINK:#}  tables {projects_table}, {submissions_table}
  S3        {LINK}{s3}{LINK:#}  bucket {images_bucket}
  listens   {listens}
  data      {}
  demo key  {key}

{BOLD}Put an image:{BOLD:#}

  base64 < events/images/front.jpg > /tmp/front.b64
  curl -i -X PUT {url} -H 'x-api-key: {key}' \\
    --form submissionId={submission} --form admin={admin} \\
    --form idType=passport --form 'idImage=</tmp/front.b64'

{BOLD}Then look at it:{BOLD:#}

  {}
",
        folder.display(),
        command("show --save /tmp/images", folder)
    );
}
