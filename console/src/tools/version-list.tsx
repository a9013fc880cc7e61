import { deleteTool } from "../api/tools";
import type { ToolDocument } from "../api/types";
import { go, href, route, toolHref } from "../router";
import { canWrite } from "../session";
import { brief } from "../text";
import { ConfirmButton } from "../ui/dialog";
import { Time } from "../ui/time";
import { ToolState } from "./badges";

/** A tool's versions, the newest first. */
export function VersionList({ tool, reload }: { tool: ToolDocument; reload: () => void }) {
  const remove = async (version: string) => {
    await deleteTool(tool.name, version);
    if (tool.versions.length === 1) go(href("tools"));
    else if (version === route.value.query.get("version")) go(toolHref(tool.name));
    else reload();
  };
  return (
    <div class="table-box">
      <table class="list versions">
        <thead>
          <tr>
            <th scope="col">Version</th><th scope="col">State</th><th scope="col">Pushed</th><th scope="col" class="wide">Digest</th>
            {canWrite.value && <th scope="col"><span class="sr">Actions</span></th>}
          </tr>
        </thead>
        <tbody>
          {tool.versions.map(({ version, digest, status, pushed_at }) => (
            <tr key={digest} class={digest === tool.digest ? "selected" : ""}>
              <td class="main"><a href={toolHref(tool.name, { version })} data-entry>{brief(version ?? "–", 80)}</a></td>
              <td><ToolState status={status} /></td>
              <td class="nowrap">{pushed_at ? <Time at={pushed_at} /> : "–"}</td>
              <td class="wide"><code>{brief(digest, 26)}</code></td>
              {canWrite.value && (
                <td class="row-actions">
                  {version !== null && <RemoveButton name={tool.name} version={version} onConfirm={() => remove(version)} />}
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function RemoveButton({ name, version, onConfirm }: { name: string; version: string; onConfirm: () => Promise<void> }) {
  return (
    <ConfirmButton label="Remove" title={`Remove version ${brief(version, 60)}?`} action="Remove the version" onConfirm={onConfirm}>
      <p>{brief(`${name}@${version}`, 200)} can't be used any more; steps that run end as they are. Its number is not given again to another component.</p>
    </ConfirmButton>
  );
}
