// `PUT /Image` as most would write it in Node, for the benchmark to compare with: busboy, the SDK's defaults. It makes
// the calls that put-image makes: both reads at once, the uploads at once, one conditional update. It is right for a
// good request, and checks no more than it must to be one.

import { createHash, randomUUID } from "node:crypto";
import { DynamoDBClient, GetItemCommand, QueryCommand, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { DeleteObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import busboy from "busboy";

const dynamodb = new DynamoDBClient();
const s3 = new S3Client({ forcePathStyle: true });
const { PROJECTS_TABLE, SUBMISSIONS_TABLE, IMAGES_BUCKET } = process.env;

export async function handler(event) {
  try {
    await put(event);
    return response(200, { message: "complete to update image." });
  } catch (error) {
    return response(400, { message: error.message });
  }
}

function response(statusCode, body) {
  return { statusCode, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

async function put(event) {
  const headers = Object.fromEntries(Object.entries(event.headers).map(([name, value]) => [name.toLowerCase(), value]));
  const fields = await parse(headers, Buffer.from(event.body, event.isBase64Encoded ? "base64" : "utf8"));
  const { submissionId, admin } = fields;
  const apiKeyHash = createHash("sha256").update(headers["x-api-key"]).digest("hex");

  const [projects, submissions] = await Promise.all([
    dynamodb.send(
      new QueryCommand({
        TableName: PROJECTS_TABLE,
        IndexName: "apiKeyHash-index",
        KeyConditionExpression: "apiKeyHash = :hash",
        ExpressionAttributeValues: { ":hash": { S: apiKeyHash } },
      }),
    ),
    dynamodb.send(new GetItemCommand({ TableName: SUBMISSIONS_TABLE, Key: { submissionId: { S: submissionId } } })),
  ]);
  const project = projects.Items[0];
  if (!project?.admins?.SS.includes(admin)) throw new Error("no project, or not an admin");
  if (submissions.Item?.projectId?.S !== project.projectId.S) throw new Error("no submission");

  const images = Object.entries(fields).filter(([name]) => name.endsWith("Image"));
  const uploaded = await Promise.all(
    images.map(async ([field, text]) => {
      const image = Buffer.from(text, "base64");
      const isPng = image.subarray(0, 4).equals(Buffer.from("\x89PNG", "latin1"));
      const key = `${project.projectId.S}/${submissionId}/${field}/${randomUUID()}.${isPng ? "png" : "jpg"}`;
      await s3.send(
        new PutObjectCommand({
          Bucket: IMAGES_BUCKET,
          Key: key,
          Body: image,
          ContentType: isPng ? "image/png" : "image/jpeg",
          ChecksumAlgorithm: "SHA256",
        }),
      );
      const sha256 = createHash("sha256").update(image).digest("hex");
      return [field, { M: { key: { S: key }, sha256: { S: sha256 }, size: { N: String(image.length) } } }];
    }),
  );

  const updated = await dynamodb.send(
    new UpdateItemCommand({
      TableName: SUBMISSIONS_TABLE,
      Key: { submissionId: { S: submissionId } },
      ConditionExpression: "attribute_exists(submissionId)",
      UpdateExpression: `SET ${uploaded.map(([field]) => `${field} = :${field}`).join(", ")}`,
      ExpressionAttributeValues: Object.fromEntries(uploaded.map(([field, image]) => [`:${field}`, image])),
      ReturnValues: "UPDATED_OLD",
    }),
  );
  const replaced = Object.values(updated.Attributes ?? {}).map((image) => image.M.key.S);
  await Promise.all(replaced.map((Key) => s3.send(new DeleteObjectCommand({ Bucket: IMAGES_BUCKET, Key }))));
}

// The text of each field.
function parse(headers, body) {
  return new Promise((resolve, reject) => {
    const fields = {};
    const form = busboy({ headers, limits: { fieldSize: Infinity } }); // 1 MiB by default, and the rest is cut off
    form.on("field", (name, value) => (fields[name] = value));
    form.on("close", () => resolve(fields));
    form.on("error", reject);
    form.end(body);
  });
}
