//! `serve`: the stack and the gateway until Ctrl-C.

use std::sync::Arc;

use crate::cli::Serve;
use crate::gateway::PATH;
use crate::records::Records;
use crate::stack::{Data, Ports, Stack, Taken};
use crate::{Error, server};

/// Serves until Ctrl-C.
///
/// # Errors
///
/// A sentence: a port or the data folder is taken.
pub async fn run(options: Serve) -> Result<(), Error> {
    let gateway = server::bind(options.port, "the gateway", "--port").await?;
    let data = Data::take(&options.data.data).map_err(|taken| match taken {
        Taken::By(_) => Error::from(format!(
            "another local stack runs over the folder {}: end it, or choose another folder with --data",
            options.data.data.display()
        )),
        Taken::Other(error) => error,
    })?;
    let folder = data.folder.canonicalize()?;
    let ports = Ports { dynamodb: options.dynamodb_port, s3: options.s3_port };
    let stack = Stack::start(ports, data, options.data.fresh, Records::sample()?).await?;
    greet(&server::url(&gateway)?, &stack, &folder.to_string_lossy());
    tokio::select! {
        () = Arc::new(stack.gateway().with_log()).serve(gateway) => Err("the gateway's socket failed".into()),
        signal = tokio::signal::ctrl_c() => Ok(signal?),
    }
}

fn greet(gateway: &str, stack: &Stack, folder: &str) {
    let Some((project, submission)) = stack.records.projects.first().zip(stack.records.submissions.first()) else {
        return;
    };
    let admin = project.admins.first().map_or("", String::as_str);
    println!(
        "PUT /Image  {gateway}{PATH}
DynamoDB    {}  tables {}, {}
S3          {}  bucket {}
data        {folder}
demo key    {key}

Try it:

  base64 < events/images/front.jpg > /tmp/front.b64
  curl -i -X PUT {gateway}{PATH} -H 'x-api-key: {key}' \\
    --form submissionId={} --form admin={admin} \\
    --form idType=passport --form 'idImage=</tmp/front.b64'
",
        stack.endpoints.dynamodb,
        stack.config.projects_table,
        stack.config.submissions_table,
        stack.endpoints.s3,
        stack.config.images_bucket,
        submission.submission_id,
        key = project.api_key,
    );
}
