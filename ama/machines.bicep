// Rows from existing machines: the tables, the rule that fills them from procline's files, and the association of the machines
// with the rule. The workspace and the machines may be in other resource groups and subscriptions. Each machine needs the Azure
// Monitor Agent, an identity, and procline with its timer.

@description('The Log Analytics workspace.')
param workspaceName string

@description('Resource group of the workspace.')
param workspaceResourceGroup string = resourceGroup().name

@description('Subscription of the workspace, as an id.')
param workspaceSubscription string = subscription().subscriptionId

@description('Resource ids of the virtual machines, scale sets and machines in Azure Arc to associate with the rule.')
param machineIds array

@description('Region of the rule and the endpoint. It must be the region of the workspace.')
param location string = resourceGroup().location

@description('Columns of the table: those of procline, or those of a table filled from ps (ps) or by the OMS agent (oms).')
@allowed(['procline', 'ps', 'oms'])
param layout string = 'procline'

@description('Plan of the table of processes. Only a new table can get the plan Auxiliary.')
@allowed(['Analytics', 'Basic', 'Auxiliary'])
param plan string = 'Analytics'

@description('Plan of the table of programs as they start. The alert for missing events needs the plan Analytics.')
@allowed(['Analytics', 'Basic', 'Auxiliary'])
param execPlan string = 'Analytics'

@description('Days for which queries of the Analytics plan see the rows; -1 for the retention of the workspace.')
param retentionInDays int = -1

@description('Days after which the rows are removed; -1 for as long as queries see them.')
param totalRetentionInDays int = -1

@description('Whether to create a data collection endpoint for the rule.')
param withEndpoint bool = true

@description('Whether the endpoint accepts connections from public networks. Disabled needs a private link.')
@allowed(['Enabled', 'Disabled'])
param publicNetworkAccess string = 'Enabled'

@description('Whether the agents read the rule from the endpoint, as for a private link. They must be in its region.')
param withConfigurationEndpoint bool = false

// columns.json has the columns of each stream, which the files fill, and of each table.
var columns = loadJsonContent('columns.json')
var layouts = {
  procline: {
    table: 'ProcessMonitor_CL'
    columns: columns.tables.procline
    transform: loadTextContent('transform.kql')
  }
  ps: {
    table: 'ProcessMonitor_CL'
    columns: columns.tables.ps
    transform: loadTextContent('transform-ps.kql')
  }
  oms: {
    table: 'process_CL'
    columns: columns.tables.oms
    transform: loadTextContent('transform-oms.kql')
  }
}

// The kinds of records: the folder of their files in /var/log, their stream, their table and its transform. A table stays empty
// if no machine writes such records. Azure allows ten kinds in a rule.
var kinds = [
  {
    name: 'procline'
    stream: 'Custom-ProcessMonitor'
    table: layouts[layout].table
    columns: layouts[layout].columns
    transform: layouts[layout].transform
  }
  {
    name: 'procline-host'
    stream: 'Custom-ProclineHost'
    table: 'ProclineHost_CL'
    columns: columns.tables.host
    transform: loadTextContent('transform-host.kql')
  }
  {
    name: 'procline-groups'
    stream: 'Custom-ProclineGroups'
    table: 'ProclineGroups_CL'
    columns: columns.tables.groups
    transform: loadTextContent('transform-groups.kql')
  }
  {
    name: 'procline-disk'
    stream: 'Custom-ProclineDisk'
    table: 'ProclineDisk_CL'
    columns: columns.tables.disk
    transform: loadTextContent('transform-disk.kql')
  }
  {
    name: 'procline-resources'
    stream: 'Custom-ProclineResources'
    table: 'ProclineResources_CL'
    columns: columns.tables.resources
    transform: loadTextContent('transform-resources.kql')
  }
  {
    name: 'procline-exec'
    stream: 'Custom-ProclineExec'
    table: 'ProclineExec_CL'
    columns: columns.tables.exec
    transform: loadTextContent('transform-exec.kql')
  }
  {
    name: 'procline-services'
    stream: 'Custom-ProclineServices'
    table: 'ProclineServices_CL'
    columns: columns.tables.services
    transform: loadTextContent('transform-services.kql')
  }
  {
    name: 'procline-software'
    stream: 'Custom-ProclineSoftware'
    table: 'ProclineSoftware_CL'
    columns: columns.tables.software
    transform: loadTextContent('transform-software.kql')
  }
  {
    name: 'procline-files'
    stream: 'Custom-ProclineFiles'
    table: 'ProclineFiles_CL'
    columns: columns.tables.files
    transform: loadTextContent('transform-files.kql')
  }
]

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' existing = {
  name: workspaceName
  scope: resourceGroup(workspaceSubscription, workspaceResourceGroup)
}

// The tables with the most rows have a choice of plan: the alerts and the queries need the plan Analytics.
module tables 'table.bicep' = [
  for kind in kinds: {
    name: '${kind.name}-table'
    scope: resourceGroup(workspaceSubscription, workspaceResourceGroup)
    params: {
      workspaceName: workspaceName
      tableName: kind.table
      columns: kind.columns
      plan: kind.name == 'procline' ? plan : (kind.name == 'procline-exec' ? execPlan : 'Analytics')
      retentionInDays: retentionInDays
      totalRetentionInDays: totalRetentionInDays
    }
  }
]

// Azure refuses a function whose tables do not exist.
module functions 'inventory.bicep' = {
  name: 'procline-functions'
  scope: resourceGroup(workspaceSubscription, workspaceResourceGroup)
  params: {
    workspaceName: workspaceName
  }
  dependsOn: [tables]
}

resource endpoint 'Microsoft.Insights/dataCollectionEndpoints@2024-03-11' = if (withEndpoint) {
  name: 'procline'
  location: location
  kind: 'Linux'
  properties: {
    networkAcls: {
      publicNetworkAccess: publicNetworkAccess
    }
  }
}

resource rule 'Microsoft.Insights/dataCollectionRules@2024-03-11' = {
  name: 'procline'
  location: location
  kind: 'Linux'
  properties: {
    description: 'Rows from the files of procline, one table for each kind of record'
    dataCollectionEndpointId: withEndpoint ? endpoint.id : null
    streamDeclarations: columns.streams
    dataSources: {
      logFiles: [
        for kind in kinds: {
          name: kind.name
          streams: [kind.stream]
          filePatterns: ['/var/log/${kind.name}/*.jsonl']
          format: 'json'
        }
      ]
    }
    destinations: {
      logAnalytics: [
        {
          name: 'workspace'
          workspaceResourceId: workspace.id
        }
      ]
    }
    dataFlows: [
      for kind in kinds: {
        streams: [kind.stream]
        destinations: ['workspace']
        transformKql: kind.transform
        outputStream: 'Custom-${kind.table}'
      }
    ]
  }
  // Azure refuses the rule if its tables do not exist.
  dependsOn: [tables]
}

module associations 'association.bicep' = [
  for (id, index) in machineIds: {
    name: 'procline-association-${index}'
    scope: resourceGroup(split(id, '/')[2], split(id, '/')[4])
    params: {
      machineId: id
      ruleId: rule.id
      configurationEndpointId: withEndpoint && withConfigurationEndpoint ? endpoint.id : ''
    }
  }
]

output ruleId string = rule.id
output endpointId string = withEndpoint ? endpoint.id : ''
