/** Several views of one thing, one shown at a time. */
import type { ReactNode } from "react";
import { Tab, TabList, TabPanel, Tabs as AriaTabs } from "react-aria-components/Tabs";

export interface TabEntry {
  readonly key: string;
  readonly title: ReactNode;
  readonly content: ReactNode;
}

export function Tabs({
  label,
  tabs,
  selected,
  onSelect,
}: {
  readonly label: string;
  readonly tabs: readonly TabEntry[];
  readonly selected?: string;
  readonly onSelect?: (key: string) => void;
}) {
  const chosen = {
    ...(selected === undefined ? {} : { selectedKey: selected }),
    ...(onSelect === undefined ? {} : { onSelectionChange: (key: string | number) => onSelect(String(key)) }),
  };
  return (
    <AriaTabs className="tabs" {...chosen}>
      <TabList aria-label={label} className="tab-list">
        {tabs.map((tab) => (
          <Tab key={tab.key} id={tab.key} className="tab">
            {tab.title}
          </Tab>
        ))}
      </TabList>
      {tabs.map((tab) => (
        <TabPanel key={tab.key} id={tab.key} className="tab-panel">
          {tab.content}
        </TabPanel>
      ))}
    </AriaTabs>
  );
}
